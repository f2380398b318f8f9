"""`alertengine diagnose`, without a daemon."""

from __future__ import annotations

from typing import Any

import pytest

from alertengine.cli.diagnose import rows, told
from alertengine.cli.output import show
from alertengine.testing import RESTART_POOL, diagnosed


def test_a_service_that_does_not_answer_is_told_and_nothing_opened(cli: Any) -> None:
    cli.onboard()
    shown = cli("diagnose", "payments").stdout
    found = cli.json("diagnose", "payments")

    assert "payments is unreachable: nothing answers" in shown
    assert "service cannot be reached" in shown
    assert (found["cause"], found["source"], found["recommended_action"]) == ("service_down", "rules", None)
    assert cli.json("incidents") == {"incidents": []}


def test_an_incident_is_told_as_it_was_found(cli: Any) -> None:
    incident = cli.rehearse()
    shown = cli("diagnose", incident).stdout

    assert f"({incident}, as it was found)" in shown
    assert "This is a test: nothing is wrong." in shown
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
    text = f"{RESTART_POOL.name}: {RESTART_POOL.description}. Helped 4 of 5 times, median 40 s."

    assert rows(found) == [
        ("likely", "database connections are used up (92 % sure), rules"),
        ("why", "Database connections are used up."),
        ("measured", "waiting for a db connection: 1.3 s at P95 (usual 0 ms)"),
        ("or", "database is slow (5 % sure)"),
        ("check first", "the pool's size"),
        ("would run", text),
    ]


def test_what_an_app_wrote_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = diagnosed(summary="\x1b[2J[bold]\u202e", check_first="a\r\nb").data
    show(told({"service": "\x1b]0;x\x07", "incident_id": None, "health": None, **hostile}))

    shown = capsys.readouterr().out
    assert not any(c in shown for c in "\x1b\x07\r\u202e")
    assert "[bold]" in shown
