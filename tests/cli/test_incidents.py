"""`incidents`, `audit`, `deliveries`, without a daemon, on a real store."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.console import Console

from alertengine.cli.incidents import read_events
from alertengine.cli.story import render


def test_nothing_happened_yet(cli: Any) -> None:
    result = cli("incidents")
    assert result.stdout == ""
    assert "no incident yet" in result.stderr
    assert cli.json("incidents") == {"incidents": []}


def test_incidents_are_listed_and_filtered(cli: Any) -> None:
    incident = cli.rehearse()
    tenant = cli.json("incidents")["incidents"][0]["tenant_id"]
    listed = cli("incidents").stdout

    assert incident in listed
    assert "ALERTED" in listed
    assert "payments: this is a test" in listed
    for matching in (["--open"], ["--service", "payments"], ["--tenant", tenant], ["--limit", "1"]):
        assert len(cli.json("incidents", *matching)["incidents"]) == 1
    for other in (["--service", "orders"], ["--tenant", "ten_nobody"]):
        assert cli.json("incidents", *other)["incidents"] == []


@pytest.mark.parametrize("terminal", ["", "1"])
def test_nothing_that_is_copied_is_ever_broken(
    cli: Any, monkeypatch: pytest.MonkeyPatch, terminal: str
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    incident = cli.rehearse()
    contact = cli.json("contacts", "list")["contacts"][0]["contact_id"]
    assert cli("incidents", "--link").stdout.count("\n") == 1
    shown = {
        ("contacts", "list"): contact,
        ("services", "list"): "http://127.0.0.1:1/health/alerts",
        ("tenants", "show"): contact,
        ("check",): str(cli.data),
        ("incidents",): incident,
        ("audit", incident): incident,
    }
    for command, whole in shown.items():
        lines = cli(*command).stdout.splitlines()
        assert any(whole in line for line in lines), command
        assert terminal or lines == [line.rstrip() for line in lines]
    assert (len(cli("incidents").stdout.splitlines()) > 2) is bool(terminal)


def test_audit_tells_every_event(cli: Any) -> None:
    incident = cli.rehearse()
    trail = cli.json("audit", incident)
    told = cli("audit", incident).stdout

    assert [e["type"] for e in trail["events"]] == [
        "incident_detected",
        "diagnosis_completed",
        "alert_queued",
        "alert_accepted",
    ]
    for part in ("payments: this is a test", incident, "ALERTED", "noticed", "diagnosed", "queued", "sent"):
        assert part in told


def test_deliveries_show_every_attempt(cli: Any) -> None:
    incident = cli.rehearse()
    attempts = cli.json("deliveries", incident)["attempts"]
    told = cli("deliveries", incident).stdout

    assert [(a["message"], a["contact"], a["outcome"]) for a in attempts] == [("alert", "Tariro", "accepted")]
    for part in ("alert", "Tariro", "accepted"):
        assert part in told


@pytest.mark.parametrize(
    ("command", "incident"),
    [
        ("audit", "inc_nothing"),
        ("audit", "../status"),
        ("deliveries", "a b\n[/x]"),
        ("preview", "%00"),
        ("reject", "inc_nothing"),
    ],
)
def test_an_unknown_incident_is_1(cli: Any, command: str, incident: str) -> None:
    result = cli(command, incident, code=1)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--yes"], ["--yes", "--json"]])
def test_approving_an_unknown_incident_is_1(cli: Any, arguments: list[str]) -> None:
    assert "There is no incident inc_nothing." in cli("approve", "inc_nothing", *arguments, code=1).stderr


def test_an_event_that_only_a_newer_daemon_knows_is_still_told() -> None:
    raw = {
        "seq": 1,
        "at": "2026-01-02T03:04:05.000000Z",
        "type": "incident_moved",
        "actor": {"kind": "system", "id": "x", "name": "AlertEngine"},
        "data": {},
        "hash": "",
        "prev_hash": "",
    }
    events = read_events({"tenant_id": "ten_1", "incident_id": "inc_1", "events": [raw]})
    console = Console(width=80)
    with console.capture() as drawn:
        console.print(render(events))
    assert "incident moved" in drawn.get()


def test_on_a_terminal_lines_fit_80_columns(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    incident = cli.rehearse()
    for command in (["incidents"], ["audit", incident], ["deliveries", incident], ["status"]):
        lines = re.sub(r"\x1b\[[\d;]*m", "", cli(*command).stdout).splitlines()
        assert max(map(len, lines)) <= 80


def test_no_colour_where_there_is_no_terminal(cli: Any) -> None:
    incident = cli.rehearse()
    assert "\x1b" not in cli("audit", incident).stdout + cli("status").stdout


def test_a_link_to_look_by_is_given_and_taken_back(cli: Any) -> None:
    cli.rehearse()
    given = cli.json("incidents", "--link", "--for", "tariro")
    assert "/incidents?token=" in given["url"]
    assert cli("incidents", "--link").stdout.startswith("http")
    assert cli.json("incidents", "--end-links", "--for", "Tariro")["ended"] == 1
    assert cli.json("incidents", "--end-links")["ended"] == 1
    assert "no contact nobody" in cli("incidents", "--link", "--for", "nobody", code=1).stderr
