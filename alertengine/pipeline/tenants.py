"""What the operator decides about a whole tenant: suspended or not, and its plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.model import Actor, Tenant
from alertengine.errors import Invalid, NotFound
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import ARRIVES_WITHIN_S
from alertengine.store import directory, receipts, system
from alertengine.store.base import Transaction

ACTIVE = "active"
SUSPENDED = "suspended"


async def suspend(engine: Engine, tenant: str, actor: Actor, reason: str) -> Tenant:
    """Nothing of it is polled, sent or run, and its keys open nothing, until it is resumed."""
    kind = SystemEventType.TENANT_SUSPENDED
    return await _change(engine, tenant, actor, kind, {"reason": reason}, status=SUSPENDED)


async def resume(engine: Engine, tenant: str, actor: Actor) -> Tenant:
    return await _change(engine, tenant, actor, SystemEventType.TENANT_RESUMED, {}, status=ACTIVE)


async def change_plan(engine: Engine, tenant: str, plan: str, actor: Actor) -> Tenant:
    if plan not in engine.plans:
        raise Invalid(f"plan: {plan!r} is not a plan; choose from {', '.join(engine.plans)}")
    return await _change(engine, tenant, actor, SystemEventType.PLAN_CHANGED, {"plan": plan}, plan=plan)


async def _change(
    engine: Engine, tenant: str, actor: Actor, kind: SystemEventType, data: dict[str, Any], **new: str
) -> Tenant:
    """What stands like that already is no event."""

    def work(tx: Transaction) -> Tenant:
        before = tx.fetch(directory.tenant(tenant))
        if before is None:
            raise NotFound(f"There is no tenant {tenant}.")
        after = replace(before, **new)  # type: ignore[arg-type]
        if after != before:
            directory.put_tenant(tx, after)
            if new.get("status") == ACTIVE:
                receipts.wait_anew(tx, tenant, tx.now(engine.now()) + timedelta(seconds=ARRIVES_WITHIN_S))
            was = {f"{name}_before": getattr(before, name) for name in new}
            system.note(tx, tenant, NewEvent(type=kind, data={**data, **was}, actor=actor), engine.now())
        return after

    return await engine.store.transact(work)
