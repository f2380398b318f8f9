"""`onboard` and `test`: by flags, by questions, and what goes where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from alertengine.cli import onboard


@contextmanager
def answering(report: Any) -> Iterator[str]:
    """The URL of an app that answers this, whatever it is asked."""

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(report).encode())

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), App) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/health/alerts"
        server.shutdown()


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
    url = ["8000/health", "http://127.0.0.1:2/health"]
    answers = ["orders", *url, "a-service-secret", "consol", "console", "Rudo", "", "n", ""]
    result = cli("onboard", input="\n".join(answers))

    assert "Name of the service" in result.stderr
    assert "Give a whole URL" in result.stderr
    assert "One of console, " in result.stderr
    assert result.stdout.startswith("tenant_id")
    cli("test")
    assert "Rudo" in cli("deliveries", cli.json("incidents")["incidents"][0]["incident_id"]).stdout


def test_a_test_needs_a_tenant_and_only_one(cli: Any) -> None:
    assert "onboard" in cli("test", code=1).stderr
    first = cli.onboard()
    assert cli("test").stdout.startswith("inc_")
    second = cli.json("onboard", *NEEDED)
    for command in (["test"], ["people", "list"], ["incidents", "--link"]):
        said = cli(*command, code=2).stderr
        assert first["tenant_id"] in said
    assert cli.json("test", second["tenant_id"])["tenant_id"] == second["tenant_id"]
    cli("test", "ten_nobody", code=1)


def test_the_service_is_looked_at_and_saved_whatever_it_answers(cli: Any) -> None:
    said = cli("onboard", *NEEDED).stderr
    assert "It is saved, but http://127.0.0.1:1/health/alerts: nothing answers" in said
    assert "Is the app up" in said
    assert "new tenant" not in said
    with answering({"hello": "world"}) as url:
        said = cli("services", "add", "items", "--health-url", url).stderr
        assert "JSON of another shape" in said
        assert "not the SDK" in said
    with answering({"status": "ok"}) as url:
        assert "no secret" in cli("services", "add", "more", "--health-url", url).stderr
    with answering({"status": "ok", "evidence": {}}) as url:
        given = ("--health-url", url, "--service-secret", "a-service-secret")
        assert "health is ok, with evidence" in cli("services", "add", "well", *given).stderr


def test_a_second_tenant_is_told_and_can_be_taken_back(cli: Any) -> None:
    first = cli.onboard()["tenant_id"]
    result = cli("onboard", *NEEDED)
    second = result.stdout.split()[1]
    assert f"{second} is a new tenant, apart from payments" in result.stderr
    assert f"--tenant {first}; then" in result.stderr
    cli("tenants", "suspend", second)
    assert cli.json("test")["tenant_id"] == first, "the only one that is watched"
    assert "payments is suspended" in cli("status").stdout
    cli("tenants", "suspend", first)
    assert "· suspended" in cli("incidents").stdout
    cli("tenants", "resume", second)
    assert cli.json("tenants", "resume")["tenant_id"] == first


def test_the_message_is_talk_and_never_mixed_into_the_answer(cli: Any) -> None:
    cli.onboard()
    result = cli("test")

    assert result.stdout.count("\n") == 1
    assert "token=" in result.stderr
    assert "running daemon" in result.stderr
