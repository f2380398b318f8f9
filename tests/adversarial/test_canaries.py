"""A canary in every secret setting there is; the product is used; none of them sings anywhere."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import tomllib
from asking import ADMIN, asking
from pydantic import BaseModel, ValidationError

from alertengine import registry
from alertengine.app import load_settings, open_engine
from alertengine.cli.inforce import in_force
from alertengine.cli.logs import PlainLines
from alertengine.cli.meanings import sections
from alertengine.core.model import Actor, Contact
from alertengine.pipeline import approve
from alertengine.pipeline.advance import sweep
from alertengine.pipeline.contacts import NewContact
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.onboard import Application, onboard
from alertengine.pipeline.poll import poll
from alertengine.store import directory, incidents
from alertengine.testing import FakeClock, ScriptedSource, critical_report

CLOSED = "http://127.0.0.1:9"
"""Where nobody listens: every send fails, and failures are what tempts to quote."""
TOGETHER = {("slack", "signing_secret"): {"bot_token": "xoxb-canary-beside-signing"}}
"""What a secret needs beside it."""
EXTRAS = {"apprise": "apprise"}
"""Kinds that need a package which is not always there."""
ABSENT = [kind for kind, package in EXTRAS.items() if find_spec(package) is None]
ENV = """
[actions.env]
kind = "command"
argv = ["/usr/bin/env"]
preview_argv = ["/usr/bin/env"]
env = { RECOVERY_TOKEN = "canary-in-the-environment-of-a-command" }
"""


def secret_fields(model: type[BaseModel]) -> list[str]:
    found = []
    for name, field in model.model_json_schema(by_alias=True)["properties"].items():
        options = [field, *field.get("anyOf", ()), field.get("items", {})]
        if any(option.get("format") == "password" for option in options):
            found.append(name)
    return found


def canary(where: str) -> str:
    return "whsec_" + base64.b64encode(f"canary of {where}, a long one".encode()).decode()


def tables() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """For each secret setting: the table it stands in, the settings there, and the canaries among them."""
    for name, model in sections().items():
        for field in secret_fields(model):
            value = canary(f"{name}.{field}")
            listed = model.model_json_schema()["properties"][field].get("type") == "array"
            yield name, {field: [value] if listed else value}, [value]
    for table, kinds in (("channels", registry.CHANNELS), ("actions", registry.ACTIONS)):
        for kind in (k for k in kinds if k not in ABSENT):
            model = registry.config_model(kinds, kind)
            ((_, rows),) = tomllib.loads(registry.example(kinds, kind)).items()
            ((_, plain),) = rows.items()
            plain |= {key: canary("beside") for key in plain if str(plain[key]).startswith("whsec_")}
            for field in secret_fields(model):
                yield f"{table}.{kind}-{field}".replace("_", "-"), *_with(model, plain, kind, field)


def _with(
    model: type[BaseModel], plain: dict[str, Any], kind: str, field: str
) -> tuple[dict[str, Any], list[str]]:
    value = canary(f"{kind}.{field}")
    if field == "urls":
        value = f"{CLOSED.replace('http', 'json')}/canary-of-{kind}-{field}"
    if field.endswith("url"):
        value = f"{CLOSED}/canary-of-{kind}-{field}"
    rest = {key: kept for key, kept in plain.items() if key not in secret_fields(model)}
    beside = TOGETHER.get((kind, field), {})
    listed = model.model_json_schema()["properties"][field].get("type") == "array"
    for base in ({**plain, **_nowhere(model)}, {**rest, **_nowhere(model), **beside}):
        given = {**base, field: [value] if listed else value}
        try:
            model.model_validate(given)
        except ValidationError:
            continue
        return given, [value, *beside.values()]
    raise AssertionError(f"{kind}.{field}: say in TOGETHER what it needs beside it")


def _nowhere(model: type[BaseModel]) -> dict[str, str]:
    found = {"base_url": CLOSED} if "base_url" in model.model_fields else {}
    return found | ({"url": CLOSED} if model.model_fields.get("url") and "kind" in model.model_fields else {})


def toml(where: str, settings: dict[str, Any]) -> str:
    table, _, name = where.partition(".")
    lines = [f'[{table}."{name}"]' if name else f"[{table}]"]
    for key, value in settings.items():
        lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines)


class Cage:
    """A configuration with all the canaries in it."""

    def __init__(self, folder: Path) -> None:
        self.canaries: set[str] = {"canary-in-the-environment-of-a-command"}
        merged: dict[str, dict[str, Any]] = {}
        for where, settings, secrets in tables():
            merged.setdefault(where, {}).update(settings)
            self.canaries |= set(secrets)
        self.channels = [where.partition(".")[2] for where in merged if where.startswith("channels.")]
        file = folder / "alertengine.toml"
        file.write_text("\n".join(toml(where, settings) for where, settings in merged.items()) + ENV)
        self.settings = load_settings(file, {"HOME": str(folder)}, {"data_dir": folder / "data"})

    def spelt(self) -> set[str]:
        """Each as it is, without its prefix, and in base64."""
        bare = {c.removeprefix("whsec_").removeprefix(f"{CLOSED}/") for c in self.canaries}
        coded = {base64.b64encode(b.encode()).decode().rstrip("=") for b in bare}
        return bare | coded


async def use(engine: Engine, cage: Cage) -> str:
    """Onboard, fall ill, tell everybody by every channel, look, decide; answers the incident."""
    application = Application(
        service_name="payments",
        health_url=f"{CLOSED}/health/alerts",
        service_secret="canary-of-the-service",
        actions=["env"],
        contacts=[NewContact(name="own", channel="slack", secret=f"{CLOSED}/canary-of-an-own-webhook")],
    )
    cage.canaries |= {"canary-of-the-service", "canary-of-an-own-webhook"}
    made = await onboard(engine, application)
    for number, channel in enumerate(cage.channels):
        contact = Contact(
            id=f"con_{number}",
            tenant_id=made.tenant.id,
            name=f"person {number}",
            channel=channel,
            address="+263771234567",
            verified_at=engine.now(),
        )
        await engine.store.transact(lambda tx, one=contact: directory.add_contact(tx, one))
    incident = await poll(engine, made.service)
    assert incident is not None
    for _ in range(3):
        await sweep(engine)
        for task in list(engine.memory.tasks):
            await task
        await deliver_due(engine)
    operator = Actor(kind="operator", id="os:me", name="me")
    await approve.confirm_as(engine, made.tenant.id, incident, operator, {"channel": "terminal"})
    for _ in range(3):
        await sweep(engine)
        for task in list(engine.memory.tasks):
            await task
    return incident


async def answers(engine: Engine, incident: str) -> str:
    """Everything that the API tells the operator."""
    owner = await engine.store.fetch(incidents.owner(incident))
    async with asking(engine) as ask:
        paths = (await ask("GET", "/openapi.json")).json()["paths"]
        said = []
        for path in (p for p, operations in paths.items() if "get" in operations):
            named = path.replace("{tenant_id}", str(owner)).replace("{incident_id}", incident)
            said.append((await ask("GET", named)).text)
        wrong = {"service_name": 7, "service_secret": "canary-of-the-service", "admin": ADMIN}
        said.append((await ask("POST", "/onboard", wrong)).text)
    return "\n".join(said)


@pytest.mark.slow
async def test_no_canary_sings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_SECRET", "canary-in-the-environment-of-the-daemon")
    cage, log = Cage(tmp_path), StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(PlainLines(with_traceback=True))
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.INFO)
    root.addHandler(handler)
    clock = FakeClock()
    async with open_engine(cage.settings, clock=clock) as opened:
        source = ScriptedSource(clock)
        source.report = critical_report()
        engine = replace(opened, source=source)
        incident = await use(engine, cage)
        owner = str(await engine.store.fetch(incidents.owner(incident)))
        events = await engine.store.fetch(incidents.events(owner, incident))
        heard = {
            "answers": await answers(engine, incident),
            "repr": repr(cage.settings) + repr(engine) + str(engine.memory),
            "check": json.dumps([row.to_json() for row in in_force(cage.settings, {}, {})]),
            "bundle": (await engine.store.bundle(owner, incident)).decode(),
            "trail": json.dumps([event.to_json() for event in events]),
        }
    root.removeHandler(handler)
    heard["log"] = log.getvalue()
    for file in (tmp_path / "data").iterdir():
        if file.is_file() and file.name not in ("secret", "admin_key", "ledger.key"):
            heard[file.name] = file.read_bytes().decode("latin-1")
            assert file.stat().st_mode & 0o077 == 0, file.name
    cage.canaries.add("canary-in-the-environment-of-the-daemon")

    assert "LANG=C.UTF-8" in heard["trail"]  # the command did tell its environment
    assert len(cage.canaries) > 15
    assert [(where, c) for where, text in heard.items() for c in cage.spelt() if c in text] == []
    if ABSENT:
        pytest.skip(
            f"all others are silent; the secrets of {', '.join(ABSENT)} need a package that is not here"
        )
