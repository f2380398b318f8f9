"""`onboard` and `test`: by flags, by questions, and what goes where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alertengine.cli import onboard

NEEDED = ("--service", "payments", "--health-url", "http://127.0.0.1:1/health/alerts")


def test_the_key_is_data_and_the_next_step_is_talk(cli: Any) -> None:
    result = cli("onboard", *NEEDED, "--contact", "Tariro=", "--channel", "console")
    lines = dict(line.split() for line in result.stdout.splitlines())

    assert lines.keys() == {"tenant_id", "api_key"}
    assert lines["api_key"].startswith("aek_live_")
    assert lines["api_key"] not in result.stderr
    assert f"alertengine --data-dir {cli.data} serve" in result.stderr
    assert f"test {lines['tenant_id']}" in result.stderr


def test_json_is_one_object(cli: Any) -> None:
    made = cli.json("onboard", *NEEDED, "--plan", "solo")
    assert made.keys() >= {"tenant_id", "api_key", "service_id", "status", "contacts_pending"}


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--service", "x"], "--health-url"),
        (["--health-url", "http://x"], "--service"),
        ([*NEEDED, "--contact", "Tariro"], "NAME=ADDRESS"),
        ([*NEEDED, "--contact", "=x"], "NAME=ADDRESS"),
        ([*NEEDED, "--contact", "A=", "--channel", "pigeon"], "pigeon"),
        ([*NEEDED, "--plan", "gold"], "plan"),
        ([*NEEDED, "--action", "nothing"], "actions"),
        ([*NEEDED, "--service-secret", "short"], "service_secret"),
        ([*NEEDED, "--service-secret", "@/nowhere"], "/nowhere"),
        (["--service", "x", "--health-url", "ftp://x"], "health_url"),
    ],
)
def test_what_is_wrong_is_named_and_is_2(cli: Any, arguments: list[str], key: str) -> None:
    result = cli("onboard", *arguments, code=2)
    assert key in result.stderr
    assert result.stdout == ""


def test_a_secret_from_a_file_is_kept_and_shown_nowhere(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-0123456789\n")
    result = cli("onboard", *NEEDED, "--service-secret", "@secret")
    assert "canary" not in result.stdout + result.stderr


def test_on_a_terminal_it_asks_for_what_is_missing(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onboard, "can_ask", lambda: True)
    answers = ["orders", "http://127.0.0.1:2/health", "a-service-secret", "console", "Rudo", "", "n", ""]
    result = cli("onboard", input="\n".join(answers))

    assert "Name of the service" in result.stderr
    assert result.stdout.startswith("tenant_id")
    cli("test")
    assert "Rudo" in cli("deliveries", cli.json("incidents")["incidents"][0]["incident_id"]).stdout


def test_a_test_needs_a_tenant_and_only_one(cli: Any) -> None:
    assert "onboard" in cli("test", code=1).stderr
    first = cli.onboard()
    assert cli("test").stdout.startswith("inc_")
    second = cli.onboard()
    said = cli("test", code=2).stderr
    assert first["tenant_id"] in said
    assert cli.json("test", second["tenant_id"])["tenant_id"] == second["tenant_id"]
    cli("test", "ten_nobody", code=1)


def test_the_message_is_talk_and_never_mixed_into_the_answer(cli: Any) -> None:
    cli.onboard()
    result = cli("test")

    assert result.stdout.count("\n") == 1
    assert "token=" in result.stderr
    assert "running daemon" in result.stderr
