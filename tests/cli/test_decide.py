"""The operator's decisions, without a daemon: a real store, a test incident."""

from __future__ import annotations

import getpass
from typing import Any

import pytest

from alertengine.cli import decide

OPERATOR = getpass.getuser()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "can_ask", lambda: True)


def events(cli: Any, incident: str) -> dict[str, Any]:
    return {e["type"]: e for e in cli.json("audit", incident)["events"]}


def test_preview_shows_what_would_run_and_leaves_a_trace(cli: Any) -> None:
    incident = cli.rehearse()
    shown = cli("preview", incident).stdout
    told = cli.json("preview", incident)

    assert "nothing real" in shown
    assert told["action"]["name"] == "test"
    assert events(cli, incident)["recovery_previewed"]["actor"]["name"] == OPERATOR
    assert cli.json("audit", incident)["stage"] == "ALERTED"


def test_approve_runs_it_and_the_record_names_the_account(cli: Any) -> None:
    incident = cli.rehearse()
    decided = cli.json("approve", incident, "--yes", "--note", "go")

    assert decided["authorized"] is True
    assert decided["execution"]["status"] == "succeeded"
    assert decided["stage"] == "RESOLVED"
    authorized = events(cli, incident)["recovery_authorized"]
    assert authorized["actor"] == {"kind": "operator", "id": f"os:{OPERATOR}", "name": OPERATOR}
    assert authorized["data"]["note"] == "go"


def test_approving_twice_is_refused_with_the_reason(cli: Any) -> None:
    incident = cli.rehearse()
    cli("approve", incident, "--yes")
    again = cli("approve", incident, "--yes", code=1)

    assert again.stdout == ""
    assert "already authorized test" in again.stderr.replace("\n", " ")
    assert len([e for e in cli.json("audit", incident)["events"] if e["type"] == "recovery_started"]) == 1


def test_without_a_terminal_it_needs_yes(cli: Any) -> None:
    incident = cli.rehearse()
    assert "--yes" in cli("approve", incident, code=2).stderr
    assert "recovery_previewed" not in events(cli, incident)


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_it_shows_the_preview_and_asks(cli: Any) -> None:
    incident = cli.rehearse()
    said = cli("approve", incident, input="n\n", code=1)

    assert "nothing real" in said.stderr
    assert "Run this now?" in said.stderr
    assert said.stdout == ""
    assert cli.json("audit", incident)["stage"] == "ALERTED"
    assert "succeeded" in cli("approve", incident, input="y\n").stdout


@pytest.mark.usefixtures("terminal")
def test_what_was_looked_at_is_what_is_approved(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = cli.rehearse()

    def meanwhile(*_: Any, **__: Any) -> bool:
        cli("reject", incident)
        return True

    monkeypatch.setattr(decide, "confirm", meanwhile)
    assert "went on while you looked" in cli("approve", incident, code=1).stderr


def test_approve_can_wait_for_the_end_and_tells_it(cli: Any) -> None:
    incident = cli.rehearse()
    followed = cli("approve", incident, "--yes", "--wait")

    assert "RESOLVED" in followed.stdout
    assert "authorized test" in followed.stderr
    assert "closed it" in followed.stderr


def test_reject_and_then_close(cli: Any) -> None:
    incident = cli.rehearse()
    rejected = cli.json("reject", incident, "--note", "not now")
    assert rejected["rejected"] is True
    assert cli.json("audit", incident)["stage"] == "REJECTED"
    assert "decided not to run it" in cli("reject", incident, code=1).stderr

    assert cli("close", incident, code=2).stdout == ""
    assert "on record" in cli("close", incident, "--note", "seen to").stderr
    assert events(cli, incident)["incident_resolved"]["data"]["note"] == "seen to"
    cli("close", incident, "--note", "again", code=1)
