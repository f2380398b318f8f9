"""`alertengine people`, without a daemon, on a real store."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_pin_is_set_and_taken_away_and_never_shown(cli: Any) -> None:
    cli.onboard()
    said = cli("people", "pin", "tariro", input="739154\n")
    assert "739154" not in said.stdout + said.stderr
    listed = cli("people", "list")
    assert "set" in listed.stdout
    assert cli.json("people", "list")["people"] == [
        {"name": "Tariro", "role": "approver", "by": ["console"], "email": None, "pin": "set"}
    ]
    cli("people", "pin", "Tariro", "--clear")
    assert cli.json("people", "list")["people"][0]["pin"] == ""


@pytest.mark.parametrize("pin", ["1234", "123456", "111111", "abcdef", ""])
def test_what_is_guessed_first_is_refused(cli: Any, pin: str) -> None:
    cli.onboard()
    assert "PIN" in cli("people", "pin", "Tariro", input=f"{pin}\n", code=2).stderr


def test_mailboxes_and_shared_addresses(cli: Any) -> None:
    cli.onboard("--contact", "Rudo=")
    assert "no provider to sign in by yet" in cli("people", "email", "Tariro", "T@Example.com").stderr
    assert "somebody else" in cli("people", "email", "Rudo", "t@example.com", code=2).stderr
    cli("people", "email", "Rudo", code=2)
    assert "Nothing can be decided from there" in cli("people", "shared", "Rudo").stderr
    rows = {row["name"]: row for row in cli.json("people", "list")["people"]}
    assert rows["Tariro"]["email"] == "t@example.com"
    assert rows["Rudo"]["by"] == ["console (shared)"]
    cli("people", "shared", "Rudo", "--no")
    cli("people", "email", "Tariro", "--clear")
    assert "no contact nobody" in cli("people", "pin", "nobody", "--clear", code=1).stderr


def test_the_glass_is_broken_at_the_terminal_only_where_allowed(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = cli.rehearse()
    done = cli.json("approve", incident, "--yes", "--break-glass", "because it burns")
    assert done["authorized"] is True, "one approval is enough here, so nothing had to be broken"
    trail = cli.json("audit", incident)["events"]
    assert all("break_glass" not in event["data"] for event in trail)
    assert trail[0]["data"]["requested_by"]["kind"] == "operator"


def test_with_no_self_approval_somebody_else_approves_a_test(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTENGINE_APPROVAL__SELF_APPROVAL", "false")
    incident = cli.rehearse()
    assert "Another person is needed" in cli("approve", incident, "--yes", code=1).stderr.replace("\n", " ")
