"""The demo from a healthy service to a healed one, told as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from alertengine.app import keys, signer
from alertengine.core.events import Event, EventType, Stage
from alertengine.core.incident import fold
from alertengine.datadir import DataDir
from alertengine.demo.stage import Stage as DemoStage
from alertengine.demo.stage import stage
from alertengine.errors import AlertEngineError, HttpError
from alertengine.http import Response
from alertengine.ledger.verify import verify_file
from alertengine.store import incidents

WARM_UP_S = 8.0
"""Long enough for the SDK to know what is usual here."""
NOTICED_WITHIN_S = 30.0
DECIDED_WITHIN_S = 290.0
RESOLVED_WITHIN_S = 40.0
LINGER_S = 4.0


class Teller(Protocol):
    """Where the demo tells what happens."""

    def step(self, text: str) -> None: ...
    def message(self, message: Mapping[str, Any]) -> None: ...
    def link(self, url: str) -> None: ...
    def trail(self, events: list[Event]) -> None: ...


@dataclass(slots=True)
class Report:
    """How it went. `durations` are seconds since the fault began; `total_s` since the demo began."""

    incident_id: str | None = None
    tenant_id: str | None = None
    resolved: bool = False
    durations: dict[str, float | None] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=lambda: {"verified": False, "size": 0})
    problem: str | None = None
    total_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


async def play(tell: Teller, *, port: int, approve: bool) -> Report:
    """The whole demo. `approve`: give the approval through the link's own form instead of waiting for a person."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    report = Report()
    tell.step("starting a payments service, its customers, a phone and the daemon")
    async with stage(port) as on:
        try:
            await _scenes(on, tell, report, approve)
        except TimeoutError as error:
            report.problem = str(error)
        report.total_s = round(loop.time() - began, 1)
    return report


async def _scenes(on: DemoStage, tell: Teller, report: Report, approve: bool) -> None:
    tell.step(f"payments runs (process {on.app_pid}, {on.app_url}); the daemon listens on {on.daemon.url}")
    report.tenant_id = (await _onboard(on))["tenant_id"]
    tell.step(f"onboarded as {report.tenant_id}; customers pay, {WARM_UP_S:.0f} s of ordinary traffic")
    await asyncio.sleep(WARM_UP_S)
    broke_at = on.daemon.engine.now()
    await on.traffic.break_it()
    tell.step("a batch of refunds in an unknown currency: each loses a database connection for good")
    critical_at = await _within(NOTICED_WITHIN_S, _turned_critical(on), "the service did not turn critical")
    alert = await _within(NOTICED_WITHIN_S, on.phone.first("incident.alert"), "no alert came")
    report.incident_id = alert["incident_id"]
    tell.message(alert)
    tell.link(alert["url"])
    if approve:
        tell.step("giving the approval through the link's own form")
        _authorized(await _approve(on, alert["url"]))
    await _within(
        DECIDED_WITHIN_S, _seen(on, report, EventType.RECOVERY_AUTHORIZED), "nobody decided in time"
    )
    tell.step("authorized; the recovery runs inside the app")
    closed = _seen(on, report, EventType.INCIDENT_RESOLVED)
    await _within(RESOLVED_WITHIN_S, closed, "it was not resolved in time")
    await _finish(on, tell, report, broke_at, critical_at, lingers=not approve)


async def _finish(
    on: DemoStage, tell: Teller, report: Report, broke_at: datetime, critical_at: datetime, lingers: bool
) -> None:
    events = await _events(on, report)
    verified = fold(events).stage is Stage.RESOLVED and any(
        e.type is EventType.HEALTH_VERIFIED for e in events
    )
    report.resolved = verified
    report.durations = _durations(events, broke_at, critical_at)
    report.events = [e.to_json() for e in events]
    for message in on.phone.messages:
        if message["type"] in ("incident.recovered", "incident.healed"):
            tell.message(message)
    tell.trail(events)
    report.ledger = await asyncio.to_thread(_verified_ledger, on)
    if lingers:
        # The page that was opened follows the recovery: let it show the end.
        await asyncio.sleep(LINGER_S)


def _verified_ledger(on: DemoStage) -> dict[str, Any]:
    settings = on.daemon.settings
    found = verify_file(settings.store_path, [signer(settings).vkey])
    return {"verified": found.verified, "size": found.size}


async def _onboard(on: DemoStage) -> dict[str, Any]:
    """As any operator would: over HTTP, with the admin key."""
    data = DataDir(on.daemon.settings.data_dir)
    body = {
        "service_name": "payments",
        "health_url": f"{on.app_url}/health/alerts",
        "service_secret": on.app_secret,
        "notification_channel": "phone",
        "contacts": [{"name": "Tariro", "channel": "phone"}],
    }
    key = keys(on.daemon.settings, data).admin_key
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    url = f"{on.daemon.url}/onboard"
    answer = await on.http.fetch("POST", url, timeout_s=10, headers=headers, body=json.dumps(body).encode())
    if answer.status != 201:
        raise AlertEngineError(f"onboarding answered HTTP {answer.status}: {answer.body.decode()[:300]}")
    onboarded: dict[str, Any] = answer.json()
    return onboarded


async def _approve(on: DemoStage, link: str) -> Response:
    url, _, token = link.partition("?token=")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = f"token={token}".encode()
    return await on.http.fetch("POST", f"{url}/confirm", timeout_s=10, headers=headers, body=body)


def _authorized(answer: Response) -> None:
    if answer.status != 200 or not answer.json().get("authorized"):
        raise AlertEngineError(f"the approval answered HTTP {answer.status}: {answer.body.decode()[:300]}")


async def _turned_critical(on: DemoStage) -> datetime:
    """When the service's own report turned critical, seen by asking it often."""
    while True:
        with suppress(HttpError):  # a busy app may lose a connection; it is asked again at once
            answer = await on.http.fetch("GET", f"{on.app_url}/health/alerts", timeout_s=5)
            if answer.json()["status"] == "critical":
                return on.daemon.engine.now()
        await asyncio.sleep(0.1)


async def _seen(on: DemoStage, report: Report, kind: EventType) -> Event:
    while True:
        for event in await _events(on, report):
            if event.type is kind:
                return event
        await asyncio.sleep(0.1)


async def _events(on: DemoStage, report: Report) -> list[Event]:
    assert report.tenant_id is not None
    assert report.incident_id is not None
    return await on.daemon.engine.store.fetch(incidents.events(report.tenant_id, report.incident_id))


async def _within(seconds: float, work: Any, otherwise: str) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise TimeoutError(f"{otherwise} (within {seconds:.0f} s)") from None


_MILESTONES: Mapping[str, EventType] = {
    "detected_s": EventType.INCIDENT_DETECTED,
    "diagnosed_s": EventType.DIAGNOSIS_COMPLETED,
    "alerted_s": EventType.ALERT_ACCEPTED,
    "authorized_s": EventType.RECOVERY_AUTHORIZED,
    "resolved_s": EventType.INCIDENT_RESOLVED,
}


def _durations(events: list[Event], broke_at: datetime, critical_at: datetime) -> dict[str, float | None]:
    def since(at: datetime) -> float:
        return round((at - broke_at).total_seconds(), 3)

    first = {event.type: event for event in reversed(events)}
    found = {name: first.get(kind) for name, kind in _MILESTONES.items()}
    return {
        "critical_s": since(critical_at),
        **{name: since(event.at) if event else None for name, event in found.items()},
    }
