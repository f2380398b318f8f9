"""The services of a tenant after its first: added, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.given import Given
from alertengine.core.model import Actor, Service, Tenant
from alertengine.core.plans import require
from alertengine.errors import Invalid, NotFound, SlotTaken
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.onboard import (
    Application,
    ask_what_it_offers,
    check_plan,
    check_secret,
    check_url,
    new_service,
    service_name,
)
from alertengine.store import directory, incidents, system
from alertengine.store.base import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """What is to be different; None leaves as it is."""

    name: str | None = None
    health_url: str | None = None
    secret: str | None = None
    thresholds: Mapping[str, float] | None = None
    given_by: Given = Given.OPERATOR


async def add(engine: Engine, tenant: Tenant, application: Application, actor: Actor) -> Service:
    """One more service of a tenant, as far as its plan goes."""
    service = new_service(engine, tenant.id, application)
    check_plan(engine, tenant, service)

    def work(tx: Transaction) -> None:
        beside = tx.fetch(directory.services(tenant.id))
        _check_free(beside, service)
        what = f"more than {len(beside)} service{'s' if len(beside) > 1 else ''}"
        require(engine.plans, tenant.plan, what, lambda plan: plan.takes_service(len(beside)))
        directory.add_service(tx, service)
        _note(engine, tx, service, SystemEventType.SERVICE_ADDED, actor, {})

    await engine.store.transact(work)
    await ask_what_it_offers(engine, service)
    return service


async def change(
    engine: Engine, tenant: Tenant, service_id: str, wanted: ServiceChange, actor: Actor
) -> Service:
    def work(tx: Transaction) -> Service:
        before = _found(tx, tenant.id, service_id)
        after = _changed(engine, before, wanted)
        check_plan(engine, tenant, after)
        others = [s for s in tx.fetch(directory.services(tenant.id)) if s.id != service_id]
        _check_free(others, after)
        if after != before:
            directory.put_service(tx, after)
            data: dict[str, Any] = {"health_url": after.health_url, "thresholds": dict(after.thresholds)}
            data["secret"] = after.sealed_secret is not None
            _note(engine, tx, after, SystemEventType.SERVICE_CHANGED, actor, data)
        return after

    after = await engine.store.transact(work)
    await ask_what_it_offers(engine, after)
    return after


async def remove(engine: Engine, tenant: Tenant, service_id: str, actor: Actor) -> None:
    """It is not watched any more. What happened to it stays on record."""

    def work(tx: Transaction) -> None:
        service = _found(tx, tenant.id, service_id)
        held = tx.fetch(incidents.slot(tenant.id, service_id))
        if held is not None:
            raise SlotTaken(f"{service.name} has an open incident, {held}. Close it first.")
        directory.remove_service(tx, service)
        _note(engine, tx, service, SystemEventType.SERVICE_REMOVED, actor, {})

    await engine.store.transact(work)


def _found(tx: Transaction, tenant: str, service_id: str) -> Service:
    service = tx.fetch(directory.service(tenant, service_id))
    if service is None:
        raise NotFound(f"This tenant has no service {service_id}.")
    return service


def _changed(engine: Engine, before: Service, wanted: ServiceChange) -> Service:
    new: dict[str, Any] = {}
    if wanted.name is not None:
        new["name"] = service_name(wanted.name, wanted.given_by)
    if wanted.health_url is not None and wanted.health_url != before.health_url:
        check_url(engine, "health_url", wanted.health_url, wanted.given_by)
        new |= {"health_url": wanted.health_url, "given_by": wanted.given_by}
        if wanted.given_by is Given.TENANT and not _same_place(before.health_url, wanted.health_url):
            new["sealed_secret"] = None  # what it signs was meant for the place it was given for
    if wanted.secret is not None:
        if wanted.secret:
            check_secret(wanted.secret)
        new["sealed_secret"] = engine.vault.seal(wanted.secret) if wanted.secret else None
    if wanted.thresholds is not None:
        new["thresholds"] = dict(wanted.thresholds)
    return replace(before, **new)


def _same_place(one: str, other: str) -> bool:
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def _check_free(beside: list[Service], service: Service) -> None:
    if service.name.casefold() in (other.name.casefold() for other in beside):
        raise Invalid(f"service_name: this tenant has a service {service.name} already")


def _note(
    engine: Engine,
    tx: Transaction,
    service: Service,
    kind: SystemEventType,
    actor: Actor,
    more: dict[str, Any],
) -> None:
    data = {"tenant_id": service.tenant_id, "service_id": service.id, "service": service.name, **more}
    system.note(tx, service.id, NewEvent(type=kind, data=data, actor=actor), engine.now())
