"""`alertengine doctor`."""

from __future__ import annotations

from cli.conftest import Cli


def test_what_fails_is_the_exit_status_and_what_to_do_is_said(cli: Cli) -> None:
    cli.json("onboard", "--service", "payments", "--health-url", "http://127.0.0.1:1/health/alerts")
    told = cli("doctor", code=1)

    assert "service payments" in told.stdout
    assert "→ Is the app up" in " ".join(told.stdout.split())
    assert "Fails: service payments." in told.stderr


def test_a_sound_one_is_said_to_be(cli: Cli) -> None:
    seen = cli.json("doctor")

    assert seen["ok"] is True
    assert {check["name"] for check in seen["checks"]} >= {"store", "clock", "base URL", "channel console"}
    assert all(check["state"] in ("ok", "warning") for check in seen["checks"])
