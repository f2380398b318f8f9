"""Everything the daemon depends on, tried for real. Nobody is sent a message by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from alertengine.core.model import Contact, Service
from alertengine.errors import AlertEngineError, DeliveryError, HttpError, NotFound
from alertengine.pipeline.audience import informs
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.people import missing
from alertengine.ports import Channel, Examination, Examining
from alertengine.store import directory

CHECK_WITHIN_S = 15.0
SKEW_WARNED_S = 5.0
SKEW_FAILED_S = 120.0
"""Links live five minutes, and signatures are refused when their time is that far off."""


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, though not for everybody or everything."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    state: State
    detail: str
    remedy: str | None = None
    took_ms: float | None = None
    at: datetime | None = None
    """What the other side's clock said."""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": str(self.state),
            "detail": self.detail,
            "remedy": self.remedy,
            "took_ms": self.took_ms,
        }


Work = Callable[[], Awaitable[Check]]


async def examine(engine: Engine) -> list[Check]:
    """Side by side, each within its time. Never raises for what is wrong: that is what it finds."""
    services: list[Service] = []
    people: list[Contact] = []
    first = await _tried(engine, "store", lambda: _store(engine, services, people))
    works: list[tuple[str, Work]] = [("base URL", lambda: _base_url(engine))]
    works += [(f"channel {name}", _channel(engine, name, c, people)) for name, c in engine.channels.items()]
    works += [(f"service {service.name}", _service(engine, service)) for service in services]
    works.append(("diagnosis", lambda: _diagnoser(engine)))
    found = await asyncio.gather(*(_tried(engine, name, work) for name, work in works))
    told = await _tried(engine, "contacts", lambda: _contacts(engine, services, people))
    named = await _tried(engine, "policy", lambda: _policy(engine))
    return [first, _clock(engine, found), *found, told, named]


async def look(engine: Engine, service_id: str) -> Check:
    """At one service alone, as `examine` would find it."""
    found = [s for s in await engine.store.fetch(directory.services()) if s.id == service_id]
    if not found:
        raise NotFound(f"There is no service {service_id}.")
    return await _tried(engine, f"service {found[0].name}", _service(engine, found[0]))


async def _tried(engine: Engine, name: str, work: Work) -> Check:
    began = engine.clock.monotonic()
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            check = await work()
    except TimeoutError:
        check = _failed(f"no answer within {CHECK_WITHIN_S:g} s")
    except AlertEngineError as error:
        check = _failed(str(error))
    except Exception as error:  # one broken part must not hide the others
        check = _failed(f"{type(error).__name__} in the check itself")
    took = round(1000 * (engine.clock.monotonic() - began), 1)
    return _named(check, name, took)


def _named(check: Check, name: str, took_ms: float) -> Check:
    return Check(
        name=name,
        state=check.state,
        detail=check.detail,
        remedy=check.remedy,
        took_ms=took_ms,
        at=check.at,
    )


def _ok(detail: str, at: datetime | None = None) -> Check:
    return Check(name="", state=State.OK, detail=detail, at=at)


def _warned(detail: str, remedy: str) -> Check:
    return Check(name="", state=State.WARNING, detail=detail, remedy=remedy)


def _failed(detail: str, remedy: str | None = None) -> Check:
    return Check(name="", state=State.FAILED, detail=detail, remedy=remedy)


async def _store(engine: Engine, services: list[Service], people: list[Contact]) -> Check:
    """Written to and read; what it holds is examined next."""
    found = await engine.store.fetch(directory.services())
    services.extend(found)
    for tenant in sorted({service.tenant_id for service in found}):
        listed = await engine.store.fetch(directory.contacts(tenant))
        people.extend(listed)
    await engine.store.probe()
    if engine.store.trouble:
        return _failed(
            engine.store.trouble, "Nothing may run until it can be written: look at the disk's space."
        )
    return _ok(f"written and read; {_many(len(services), 'service')}, {_many(len(people), 'contact')}")


def _clock(engine: Engine, found: Sequence[Check]) -> Check:
    """Against the clocks of everybody who answered: it is no use to ask this machine about itself."""
    now = engine.now()
    told = [(abs((check.at - now).total_seconds()), check.name) for check in found if check.at is not None]
    if not told:
        return Check(
            name="clock", state=State.OK, detail="nobody outside told the time, so it is not compared"
        )
    # One provider may be wrong; all of them are not.
    off, name = min(told)
    remedy = "Let it be set by NTP: a link's life and every signature depend on it."
    if off <= SKEW_WARNED_S:
        return Check(name="clock", state=State.OK, detail=f"within {off:.0f} s of {name}")
    state = State.FAILED if off > SKEW_FAILED_S else State.WARNING
    return Check(name="clock", state=state, detail=f"{off:.0f} s off {name}", remedy=remedy)


async def _base_url(engine: Engine) -> Check:
    host = urlsplit(engine.base_url).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        remedy = "Set [server] base_url to how phones reach it: a tunnel or a proxy with https."
        return _warned(f"{engine.base_url}: links open on this machine alone", remedy)
    try:
        answer = await engine.http.fetch("GET", f"{engine.base_url}/health", timeout_s=10)
        said = answer.json() if answer.ok else {}
    except HttpError as error:
        return _failed(f"{engine.base_url}: {error}", "Is the proxy or tunnel in front of the daemon up?")
    except (ValueError, RecursionError):
        said = {}
    if not isinstance(said, dict) or "version" not in said:
        detail = f"{engine.base_url} answers HTTP {answer.status}, and not as AlertEngine"
        return _failed(detail, "Let it lead to the daemon: `alertengine serve` must run.")
    if engine.base_url.startswith("http://"):
        return _warned(f"{engine.base_url} answers, unencrypted", "Put https in front: a link is a key.")
    return _ok(f"{engine.base_url} leads here")


def _channel(engine: Engine, name: str, channel: Channel, people: Sequence[Contact]) -> Work:
    used = [c for c in people if engine.channel_of(c) is channel]

    async def work() -> Check:
        try:
            seen: Examination = await channel.examine()
        except DeliveryError as error:
            return _failed(str(error), f"[channels.{name}]; docs/channels.md says what {channel.kind} needs.")
        detail = f"{seen.detail}; {_many(len(used), 'contact')}" if used else seen.detail
        if seen.remedy:
            return _warned(detail, seen.remedy)
        return _ok(detail, seen.at)

    return work


def _service(engine: Engine, service: Service) -> Work:
    async def work() -> Check:
        seen = await engine.source.poll(service, evidence=True)
        if seen.error is not None:
            return _failed(f"{service.health_url}: {seen.headline}", _WHERE_TO_LOOK.get(seen.error.kind, _UP))
        health = f"{service.health_url} answers, health is {seen.health}"
        if service.sealed_secret is None:
            remedy = "Onboard it with its SDK's secret: without it there is no evidence and no recovery inside the app."
            return _warned(f"{health}; no secret", remedy)
        if "evidence" not in (seen.report or {}):
            remedy = "It is not the same as the SDK's `secret`, or the app's clock is far off."
            return _warned(f"{health}; its SDK does not accept our secret", remedy)
        return _ok(f"{health}, with evidence")

    return work


_UP = "Is the app up, and the SDK mounted there?"
_ANOTHER = (
    "Something answers there, and not the SDK: its report is at /health/alerts unless the app says otherwise."
)
_WHERE_TO_LOOK = dict.fromkeys(("wrong_shape", "not_json", "status"), _ANOTHER)


async def _diagnoser(engine: Engine) -> Check:
    diagnoser = engine.diagnoser
    if not isinstance(diagnoser, Examining):
        return _ok(f"{diagnoser.name}, in this process")
    seen = await diagnoser.examine()
    return _warned(seen.detail, seen.remedy) if seen.remedy else _ok(seen.detail, seen.at)


async def _contacts(engine: Engine, services: Sequence[Service], people: Sequence[Contact]) -> Check:
    if not services:
        return _warned("nothing is watched yet", "alertengine onboard")
    told = {c.tenant_id for c in people if c.verified_at is not None and not informs(engine, c)}
    silent = sorted({service.name for service in services if service.tenant_id not in told})
    remedy = "alertengine verify CONTACT sends a new code; alertengine verify CONTACT CODE confirms it."
    if silent:
        return _failed(f"nobody would be told of {', '.join(silent)}: no contact is verified", remedy)
    pending = [contact.name for contact in people if contact.verified_at is None]
    if pending:
        return _warned(f"not verified, so not told: {', '.join(pending)}", remedy)
    return _ok(f"{_many(len(people), 'contact')}, all verified")


async def _policy(engine: Engine) -> Check:
    """A step that calls somebody who is not there calls everybody, which is not what was meant."""
    problems = await missing(engine)
    if not problems:
        return _ok("whom it names is there")
    remedy = "Write the name as `alertengine contacts list` shows it, or add the contact; then start the daemon anew."
    return _failed("; ".join(problems), remedy)


def _many(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
