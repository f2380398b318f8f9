"""`alertengine doctor` and `alertengine test` from the command line, against every provider's server at once."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alertengine.testing.wire import webhooks
from channels import benches
from channels.benches import Bench

pytestmark = pytest.mark.slow

ALERTENGINE = (sys.executable, "-c", "from alertengine.cli.main import main; main()", "--data-dir", "data")
PEOPLE = {
    "chat": (benches.TELEGRAM, "1001"),
    "wa": (benches.WHATSAPP_TWILIO, "+263771234567"),
    "sent": (benches.WHATSAPP_SENT, "+263771234568"),
    "slack": (benches.SLACK_BOT, "C0001"),
    "voice": (benches.VOICE_TWILIO, "+263771234569"),
    "ops": (benches.WEBHOOK, ""),
}


async def command(folder: Path, *args: str, code: int = 0) -> Any:
    process = await _begin(folder, *args, "--json")
    out, said = await process.communicate()
    assert process.returncode == code, said.decode()
    return json.loads(out)


async def _begin(folder: Path, *args: str) -> asyncio.subprocess.Process:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *ALERTENGINE,
        *args,
        cwd=folder,
        env={**kept, "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[tuple[dict[str, Any], httpx2.AsyncClient]]:
    """`alertengine serve` with a channel for each provider; the servers by the channel's name, and its API."""
    async with AsyncExitStack() as stack:
        servers: dict[str, Any] = {}
        tables = []
        for name, (bench, _) in PEOPLE.items():
            made = webhooks.WebhookReceiver(time.time()) if bench is benches.WEBHOOK else bench.server()
            servers[name] = server = await stack.enter_async_context(made)
            tables.append(_table(name, bench, server))
        servers["chat"].chats = {1001}
        (folder / "alertengine.toml").write_text("\n".join(tables))
        process = await _begin(folder, "serve", "--port", "0")
        try:
            assert process.stderr is not None
            said = ""
            async for line in process.stderr:
                said += line.decode()
                if "onboard --service" in said:
                    break
            url = re.findall(r"http://127\.0\.0\.1:[0-9]+", said)[0]
            key = (folder / "data" / "admin_key").read_text().strip()
            operator = {"authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(base_url=url, headers=operator, trust_env=False) as http:
                yield servers, http
        finally:
            process.terminate()
            await process.communicate()


def _table(name: str, bench: Bench, server: Any) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in bench.settings(server).items()]
    return "\n".join((f"[channels.{name}]", f'kind = "{bench.kind}"', *lines))


async def until(what: Any) -> Any:
    async with asyncio.timeout(10):
        while not (found := what()):
            await asyncio.sleep(0.05)
    return found


def taken(server: Any) -> list[str]:
    """What the provider took, in its order."""
    found = getattr(server, "calls", None) or server.messages
    return [json.dumps(one) for one in (found.values() if isinstance(found, dict) else found)]


def code_in(server: Any) -> str | None:
    found = re.search(r"your code is ((?:\d[\s,.]*){6})", " ".join(taken(server)))
    return re.sub(r"\D", "", found[1]) if found else None


async def test_the_command_line_rehearses_every_channel(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (servers, http):
        people = [{"name": name, "channel": name, "address": place} for name, (_, place) in PEOPLE.items()]
        given = {"service_name": "payments", "health_url": "http://127.0.0.1:1/health/alerts"}
        made = await http.post("/onboard", json={**given, "notification_channel": "ops", "contacts": people})
        assert made.status_code == 201, made.text
        for name in made.json()["contacts_pending"]:
            code = await until(lambda server=servers[name]: code_in(server))
            answer = await http.post("/verify", json={"phone": PEOPLE[name][1], "code": code})
            assert answer.status_code == 200, answer.text
        checks = {c["name"]: c for c in (await command(tmp_path, "doctor", code=1))["checks"]}
        before = {name: len(taken(server)) for name, server in servers.items()}
        incident = (await command(tmp_path, "test"))["incident_id"]
        for name, server in servers.items():
            await until(lambda server=server, name=name: len(taken(server)) > before[name])
        tried = (await command(tmp_path, "deliveries", incident))["attempts"]

    assert [name for name in PEOPLE if checks[f"channel {name}"]["state"] != "ok"] == []
    assert {name: server.problems for name, server in servers.items() if server.problems} == {}
    assert {one["channel"] for one in tried} == set(PEOPLE)
    assert {one["outcome"] for one in tried} <= {"sending", "accepted", "delivered"}
