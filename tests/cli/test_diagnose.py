"""`alertengine diagnose`, without a daemon."""

from __future__ import annotations

from typing import Any

import pytest

from alertengine.cli.diagnose import told as drawn
from alertengine.testing import RESTART_POOL, diagnosed


def test_a_service_that_does_not_answer_is_told_and_nothing_opened(cli: Any) -> None:
    cli.onboard()
    told = cli("diagnose", "payments").stdout
    found = cli.json("diagnose", "payments")

    assert "payments is unreachable: nothing answers" in told
    assert "service cannot be reached" in told
    assert (found["cause"], found["source"], found["recommended_action"]) == ("service_down", "rules", None)
    assert cli.json("incidents") == {"incidents": []}


def test_an_incident_is_told_as_it_was_found(cli: Any) -> None:
    incident = cli.rehearse()
    told = cli("diagnose", incident).stdout

    assert f"({incident}, as it was found)" in told
    assert "This is a test: nothing is wrong." in told
    assert cli.json("diagnose", incident)["recommended_action"] == "test"
    assert [e["type"] for e in cli.json("audit", incident)["events"]][-1] == "alert_accepted"


@pytest.mark.parametrize("subject", ["nobody", "inc_nothing", "a b\n[/x]"])
def test_what_is_not_known_is_1(cli: Any, subject: str) -> None:
    result = cli("diagnose", subject, code=1)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_every_part_has_its_line() -> None:
    found = {
        "service": "payments",
        "incident_id": None,
        "health": {"health": "critical", "headline": "61 % of requests to POST /pay fail"},
        **diagnosed(
            alternatives=[{"cause": "db_slow", "confidence": 0.05}],
            experience={"text": "Helped 4 of 5 times, median 40 s."},
        ).data,
    }
    lines = drawn(found).plain.splitlines()

    assert lines == [
        "payments is critical: 61 % of requests to POST /pay fail",
        "  likely       database connections are used up (92 % sure), rules",
        "  why          Database connections are used up.",
        "  measured     waiting for a db connection: 1.3 s at P95 (usual 0 ms)",
        "  or           database is slow (5 % sure)",
        "  check first  the pool's size",
        f"  would run    {RESTART_POOL.name}: {RESTART_POOL.description}. Helped 4 of 5 times, median 40 s.",
    ]
