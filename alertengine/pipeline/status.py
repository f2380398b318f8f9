"""How the daemon itself is, by measured facts."""

from __future__ import annotations

from typing import Any

from alertengine.core.detection import Watch
from alertengine.core.model import Service, rfc3339
from alertengine.core.policy import START_WITHIN_S
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents, outbox

STALLED_AFTER_S = 30.0


async def status(engine: Engine) -> dict[str, Any]:
    """Everything at a glance, for the operator."""
    services = await engine.store.fetch(directory.services())
    deliveries = await engine.store.fetch(outbox.counts())
    channels = await _channels(engine)
    mode, reasons = _mode(engine, channels)
    policy = engine.policy
    return {
        "mode": mode,
        "reasons": reasons,
        "active_tenants": len({s.tenant_id for s in services}),
        "services": [_service(engine.watch(s.id), s) for s in services],
        "open_incidents": await engine.store.fetch(incidents.stage_counts()),
        "queue": deliveries.get("queued", 0) + deliveries.get("sending", 0),
        "dlq_count": deliveries.get("dead", 0),
        "stage_gates": {
            "ALERTED": {"escalate_after_s": policy.escalate_after_s, "expire_after_s": policy.deadline_s},
            "AUTHORIZED": {"start_within_s": START_WITHIN_S},
            "VERIFYING": {"verify_window_s": policy.verify_window_s},
        },
        "channels": channels,
        "loop": loop(engine),
    }


def loop(engine: Engine) -> dict[str, float | None]:
    ticked = engine.memory.ticked_at
    age = None if ticked is None else round(engine.clock.monotonic() - ticked, 3)
    return {"last_tick_age_s": age}


def health(engine: Engine) -> tuple[str, str]:
    """("ok" or "degraded", why)."""
    if engine.store.trouble:
        return "degraded", engine.store.trouble
    age = loop(engine)["last_tick_age_s"]
    if age is not None and age > STALLED_AFTER_S:
        return "degraded", f"the loop has not run for {age:.0f} s"
    return "ok", ""


def _mode(engine: Engine, channels: dict[str, dict[str, Any]]) -> tuple[str, list[str]]:
    if engine.store.trouble:
        return "EMERGENCY", [engine.store.trouble]
    failing = [f"channel {name}: {c['error']}" for name, c in channels.items() if c["state"] == "failing"]
    state, why = health(engine)
    reasons = failing + ([why] if state != "ok" else [])
    return ("DEGRADED", reasons) if reasons else ("NORMAL", [])


async def _channels(engine: Engine) -> dict[str, dict[str, Any]]:
    last = await engine.store.fetch(outbox.last_outcomes())
    rows = {}
    for name, channel in engine.channels.items():
        outcome, error = last.get(name) or last.get(channel.kind) or ("unused", None)
        state = {"accepted": "ok", "sending": "ok", "unused": "unused"}.get(outcome, "failing")
        rows[name] = {"state": state, "kind": channel.kind, "error": error}
    return rows


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
