"""Ask a service how it is; open an incident when the answer says so."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alertengine.core.detection import Trouble, assess
from alertengine.core.diagnosis.model import FetchError
from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import ActionSpec, Service
from alertengine.core.plans import Feature, plan_of
from alertengine.core.policy import Policy
from alertengine.core.snapshot import Health, Snapshot, unreachable
from alertengine.core.toll import Toll
from alertengine.core.trouble import began
from alertengine.errors import SlotTaken, StoreUnavailable
from alertengine.pipeline import quota
from alertengine.pipeline.emergency import unrecorded
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents
from alertengine.store.base import Transaction

log = logging.getLogger(__name__)


async def poll(engine: Engine, service: Service) -> str | None:
    """One poll. Answers the service's open incident, if it has one now."""
    before = engine.watch(service.id)
    # From the first sign of trouble on with its evidence: the next poll may find nobody to ask.
    uneasy = before.last is not None and before.last.health is not Health.OK
    snapshot = await _read(engine, service, evidence=uneasy)
    watch = before.see(snapshot)
    engine.memory.watches[service.id] = watch
    came_back = before.last is None or before.last.error is not None
    if snapshot.report is not None and (came_back or service.id not in engine.memory.offered):
        offers = await _offers(engine, service)
        if offers is not None:
            engine.memory.offered[service.id] = offers
    held: str | None = await engine.store.fetch(incidents.slot(service.tenant_id, service.id))
    try:
        _count(engine, service, snapshot, held)
    except Exception:  # no figure keeps an incident from being opened
        engine.memory.tolls.pop(service.id, None)
        if engine.worth_noting(f"toll {service.id}", freely=1, every_s=600.0):
            log.exception("%s: what fails could not be counted", service.name)
    if held is not None or snapshot.healthy:
        return held
    cooling = await _cooling(engine, service, snapshot.at)
    trouble = assess(watch, service.name, await _policy(engine, service), cooling=cooling)
    if trouble and cooling:
        trouble = replace(trouble, again=await _again(engine, service, snapshot.at))
    return await _open(engine, service, trouble, snapshot) if trouble else None


def _count(engine: Engine, service: Service, snapshot: Snapshot, held: str | None) -> None:
    """What failed, where somebody said what a request is worth."""
    worth = engine.worth(service)
    if not worth or snapshot.report is None:
        return
    toll = engine.memory.tolls.get(service.id, Toll())
    incident = engine.memory.folded.get((service.tenant_id, held)) if held else None
    toll = toll.about(began(incident) if incident else None)
    engine.memory.tolls[service.id] = toll.see(snapshot.at, snapshot.report, worth.keys())


async def _policy(engine: Engine, service: Service) -> Policy:
    """With the service's own thresholds, as long as its plan has them."""
    if not service.thresholds:
        return engine.policy
    tenant = await engine.store.fetch(directory.tenant(service.tenant_id))
    if tenant is None or Feature.CUSTOM_THRESHOLDS not in plan_of(engine.plans, tenant.plan).features:
        return engine.policy
    return replace(engine.policy, **service.thresholds)  # type: ignore[arg-type]


async def _read(engine: Engine, service: Service, evidence: bool) -> Snapshot:
    """A reader that breaks is an outage like any other: nobody would be told of the service otherwise."""
    try:
        return await engine.source.poll(service, evidence=evidence)
    except Exception as error:
        log.exception("%s: its health could not be read", service.name)
        return unreachable(engine.now(), FetchError(kind="unread", detail=type(error).__name__))


async def _offers(engine: Engine, service: Service) -> tuple[ActionSpec, ...] | None:
    try:
        return await engine.source.recoveries(service)
    except Exception:
        log.exception("%s: its recoveries could not be read", service.name)
        return None


async def _cooling(engine: Engine, service: Service, now: datetime) -> bool:
    closed = await engine.store.fetch(incidents.last_closed_at(service.tenant_id, service.id, engine.now()))
    return closed is not None and now - closed < timedelta(seconds=engine.policy.cooldown_s)


async def _again(engine: Engine, service: Service, now: datetime) -> dict[str, Any]:
    """How often it failed within an hour, this time among them, and which incident goes on with this one."""
    earlier = await engine.store.fetch(
        incidents.opened_between(service.tenant_id, service.id, now - timedelta(hours=1), engine.now())
    )
    return {"times": len(earlier) + 1, "previous": earlier[-1] if earlier else None}


async def _open(engine: Engine, service: Service, trouble: Trouble, snapshot: Snapshot) -> str | None:
    incident_id = engine.new_id("inc")
    data = {"service_id": service.id, "service": service.name, **trouble.to_json(snapshot)}

    def work(tx: Transaction) -> None:
        told = {**data, **quota.count(engine, tx, service.tenant_id)}
        detected = NewEvent(type=EventType.INCIDENT_DETECTED, data=told)
        tx.append(service.tenant_id, incident_id, [detected], 0, engine.now())

    try:
        await engine.store.transact(work)
    except SlotTaken:
        return await engine.store.fetch(incidents.slot(service.tenant_id, service.id))
    except StoreUnavailable:
        engine.spawn(unrecorded(engine, service, trouble))
        raise
    return incident_id
