"""How the daemon itself is, by measured facts."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from alertengine.core.detection import Watch
from alertengine.core.model import Service, rfc3339
from alertengine.core.policy import START_WITHIN_S
from alertengine.errors import StoreUnavailable
from alertengine.pipeline import inquire, mode
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.postage import month_of
from alertengine.store import directory, incidents, postage, silences, spending, tellings


async def status(engine: Engine) -> dict[str, Any]:
    """Everything at a glance, for the operator. Where the store cannot be read: what it said last, and that."""
    with suppress(StoreUnavailable):
        engine.memory.glance = await _glance(engine)
    condition = await mode.look(engine)
    policy = engine.policy
    return {
        "mode": str(condition.mode),
        "reasons": condition.reasons,
        **engine.memory.glance,
        "stage_gates": {
            "ALERTED": {"escalate_after_s": policy.escalate_after_s, "expire_after_s": policy.deadline_s},
            "AUTHORIZED": {"start_within_s": START_WITHIN_S},
            "VERIFYING": {"verify_window_s": policy.verify_window_s},
        },
        "channels": await mode.channels(engine),
        "loop": loop(engine),
    }


async def _glance(engine: Engine) -> dict[str, Any]:
    """What the store says."""
    services = await engine.store.fetch(directory.services())
    deliveries = await engine.store.fetch(tellings.counts())
    sent = postage.of_month(month_of(engine.now()))
    return {
        "active_tenants": len({s.tenant_id for s in services}),
        "suspended": await _suspended(engine),
        "services": [_service(engine.watch(s.id), s) for s in services],
        "open_incidents": await engine.store.fetch(incidents.stage_counts()),
        "queue": deliveries.get("queued", 0) + deliveries.get("sending", 0),
        "dlq_count": deliveries.get("dead", 0),
        "model": await _model(engine),
        "postage": [s.to_json(engine.policy.spend_cap) for s in await engine.store.fetch(sent)],
        "silences": [s.to_json() for s in await engine.store.fetch(silences.current(None, engine.now()))],
    }


async def _suspended(engine: Engine) -> list[dict[str, str]]:
    """The tenants of which nothing is polled, sent or run."""
    known = await engine.store.fetch(directory.tenants())
    return [{"tenant_id": t.id, "name": t.name} for t in known if t.status != "active"]


async def _model(engine: Engine) -> dict[str, Any] | None:
    """Who is asked beside the rules, and what all tenants' questions used today."""
    state = inquire.state(engine)
    if state is None:
        return None
    spent = await engine.store.fetch(spending.spent(None, engine.now()))
    return {**state, "today": spent.to_json()}


def loop(engine: Engine) -> dict[str, float | None]:
    return {"last_tick_age_s": mode.loop_age_s(engine)}


def health(engine: Engine) -> tuple[str, str]:
    """("ok" or "degraded", why)."""
    trouble = engine.store.trouble or mode.loop_trouble(engine)
    return ("degraded", trouble) if trouble else ("ok", "")


def _service(watch: Watch, service: Service) -> dict[str, Any]:
    last = watch.last
    return {
        "tenant_id": service.tenant_id,
        "service_id": service.id,
        "service": service.name,
        "health": str(last.health) if last else "unknown",
        "score": last.score if last else None,
        "headline": last.headline if last and not last.healthy else "",
        "polled_at": rfc3339(last.at) if last else None,
        "scores": [s.score for s in watch.recent[-60:]],
    }
