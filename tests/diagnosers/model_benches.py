"""Each kind of model beside the server that it is tried against, and the ways in which that can fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synthetic_faults import scenario

from alertengine import registry
from alertengine.app import new_id
from alertengine.clock import SystemClock
from alertengine.core.policy import Policy
from alertengine.core.spend import Budget, Terms
from alertengine.http import Http
from alertengine.ports import Model
from alertengine.signing import Vault
from alertengine.store import incidents
from alertengine.testing import FakeClock
from alertengine.testing.wire import anthropic, openai
from alertengine.testing.wire.loopback import LoopbackServer, Misbehave, Reply, replied
from alertengine.tools import Tools
from world import World, open_world

TERMS = Terms(
    deadline_s=0.3, limit_s=1.2, max_tokens=800, second_opinion=False, budget=Budget(tokens=10**6, usd=5.0)
)
BODY = {"model": "a-model", "messages": [], "tool_choice": {"name": "report_diagnosis"}}
USED = {"input_tokens": 1000, "output_tokens": 50}
WRONG = {"cause": "gremlins", "confidence": 2}


@dataclass(frozen=True)
class Fault:
    """What the server does instead, and what is then said of the model."""

    act: Reply | Misbehave | None
    says: str
    slow: bool = False
    """The message leaves before it is known."""


def _status(status: int, says: str) -> Callable[[str], Fault]:
    def made(kind: str) -> Fault:
        if kind == "claude":
            return Fault(anthropic.failed(status, "some_error"), says)
        return Fault(openai.failed(status), says)

    return made


def _said(content: Any, says: str, stop: str = "tool_use", finish: str = "stop") -> Callable[[str], Fault]:
    def made(kind: str) -> Fault:
        if kind == "claude":
            blocks = [] if content is None else anthropic.called(BODY, content)
            return Fault(anthropic.message(BODY, blocks, USED, stop), says)
        text = None if content is None else json.dumps(content)
        refusal = "no" if stop == "refusal" else None
        return Fault(openai.completion(BODY, text, finish, refusal), says)

    return made


def _act(act: Misbehave | Reply, says: str, slow: bool = False) -> Callable[[str], Fault]:
    return lambda kind: Fault(act, says, slow)


NOT_READ = r"its answer cannot be read|it did not answer in the form"
FAULTS: Mapping[str, Callable[[str], Fault]] = {
    "401": _status(401, "its API key is not accepted"),
    "403": _status(403, "may not use this model"),
    "404": _status(404, "there is no such model"),
    "429": _status(429, "it allows no more calls for now"),
    "500": _status(500, "it answered HTTP 500"),
    "529": _status(529, "it is overloaded|HTTP 529"),
    "refusal": _said(None, "it declined to answer", stop="refusal"),
    "truncation": _said({"cause": "db_slow"}, "its answer was cut off", stop="max_tokens", finish="length"),
    "schema": _said(WRONG, "it names no cause of the list"),
    "empty": _said({}, "it names no cause of the list|did not answer in the form"),
    "no tool": _said(None, "it did not answer in the form", stop="end_turn"),
    "uncited": _said(
        {
            **anthropic.agreeing({"rules": {"cause": "db_slow"}}),
            "explanation": {"text": "It waits 99 s.", "cites": ["made-up"]},
        },
        "nothing in its answer stands on what was measured",
    ),
    "nonsense": _act(Misbehave.GARBAGE, NOT_READ),
    "a list": _act(replied([1, 2, 3]), NOT_READ),
    "too long": _act(Reply(body=b" " * 3_000_000), "has more than 256 KiB|more than 256 KiB"),
    "packed": _act(
        Reply(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
        "packed|cannot be read|broke|did not answer in the form",
    ),
    "cut": _act(Misbehave.CUT, "the connection to it broke|the connection broke"),
    "hang": _act(Misbehave.HANG, "has not answered yet", slow=True),
    "slow drip": _act(Misbehave.DRIP, "has not answered yet", slow=True),
}


@dataclass(frozen=True)
class Bench:
    kind: str
    server: Callable[[], LoopbackServer]
    settings: Callable[[LoopbackServer], dict[str, Any]]


BENCHES = {
    "claude": Bench(
        "claude",
        anthropic.AnthropicServer,
        lambda server: {"provider": "claude", "base_url": server.url, "api_key": anthropic.API_KEY},
    ),
    "openai_compatible": Bench(
        "openai_compatible",
        lambda: openai.OpenAIServer(openai.API_KEY),
        lambda server: {
            "provider": "openai_compatible",
            "base_url": f"{server.url}/v1",
            "model": "a-local-model",
            "api_key": openai.API_KEY,
            "usd_per_million_in": 1.0,
            "usd_per_million_out": 5.0,
        },
    ),
}


@asynccontextmanager
async def built(bench: Bench, server: LoopbackServer, **changes: Any) -> AsyncIterator[Model]:
    """The model of a bench, connected to its server."""
    http = Http()
    tools = Tools(
        http=http,
        clock=SystemClock(),
        vault=Vault("v" * 40),
        new_id=new_id,
        tenant_secrets=lambda purpose, tenant: ("",),
    )
    config = registry.config_model(registry.DIAGNOSERS, bench.kind).model_validate(
        {**bench.settings(server), **changes}
    )
    model: Model = registry.load(registry.DIAGNOSERS, bench.kind)(config, tools)
    try:
        await model.prepare()
        yield model
    finally:
        await model.close()
        await http.close()


@asynccontextmanager
async def modelled(
    folder: Path, kind: str = "claude", terms: Terms = TERMS, **changes: Any
) -> AsyncIterator[tuple[World, Any]]:
    """A world whose service fails by its connection pool, and whose diagnoses a model reads too; with its server."""
    bench = BENCHES[kind]
    async with (
        bench.server() as server,
        built(bench, server, **changes) as model,
        open_world(folder, Policy(cooldown_s=0)) as world,
    ):
        world.engine = replace(world.engine, model=model, terms=terms)
        world.source.report = failing(world.clock)
        yield world, server


def failing(
    clock: FakeClock, cause: str = "pool_exhaustion", seed: int = 7, **changes: Any
) -> dict[str, Any]:
    report = scenario(cause, seed)
    shape = {
        "health_score": {"score": 20.0, "status": "critical", "trend": "degrading"},
        "storage": {"mode": "memory", "state": "ok", "dropped": 0},
    }
    return {**report, **shape, "status": "critical", **changes}


async def opened(world: World) -> str:
    """An incident, detected and not yet looked at."""
    from alertengine.pipeline.poll import poll

    incident = None
    while incident is None:
        world.clock.advance(5)
        incident = await poll(world.engine, world.service)
    return incident


async def queued_after(world: World, incident: str, kind: str = "alert_queued") -> float:
    """Drive the incident as the daemon does; answer after how many real seconds people were told."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    driving = asyncio.create_task(world.advance(incident))
    try:
        async with asyncio.timeout(30):
            while kind not in await types(world, incident):
                await asyncio.sleep(0.005)
        return loop.time() - began
    finally:
        await driving


async def types(world: World, incident: str) -> list[str]:
    return [str(e.type) for e in await world.engine.store.fetch(incidents.events(world.tenant, incident))]


async def diagnoses(world: World, incident: str) -> list[Mapping[str, Any]]:
    return [e.data for e in await world.events(incident) if e.type == "diagnosis_completed"]
