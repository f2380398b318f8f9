"""From an opened link to what its page and its JSON show."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alertengine.core import experience
from alertengine.core.account import span, tell
from alertengine.core.approval import standing
from alertengine.core.diagnosis.model import CAUSES, UNCLEAR
from alertengine.core.events import EventType
from alertengine.core.incident import Execution, Incident
from alertengine.core.model import ActionSpec, rfc3339
from alertengine.core.snapshot import Snapshot
from alertengine.core.view import DECIDING, PREVIEWING, Sight, View, choose
from alertengine.pipeline.approve import Opened
from alertengine.pipeline.catalogue import today
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.preview import Preview, preview
from alertengine.store import checkpoints, incidents, runs
from alertengine.web.recover_chart import chart
from alertengine.web.recover_text import ago, block, clock_time, exact, milliseconds, say, share
from alertengine.web.recover_words import Facts, since, who, words

PREVIEW_KEPT_S = 10.0
TRAIL_LIMIT = 60
OUTPUT_LINES = 8
PREVIEW_LINES = 12


@dataclass(slots=True)
class Previews:
    """An action's own previews, kept for a moment: a robot that looks a hundred times asks the app once."""

    engine: Engine
    kept: dict[str, tuple[float, asyncio.Task[Preview | None]]] = field(default_factory=dict)

    async def of(self, opened: Opened, incident: Incident) -> Preview | None:
        assert incident.action is not None
        key = f"{incident.id} {incident.action.digest()}"
        now = self.engine.clock.monotonic()
        self.kept = {k: v for k, v in self.kept.items() if now - v[0] < PREVIEW_KEPT_S}
        if key not in self.kept:
            asked = self.engine.spawn(preview(self.engine, incident, opened.service))
            self.kept[key] = (now, asked)
        return await asyncio.shield(self.kept[key][1])


async def load(engine: Engine, opened: Opened, previews: Previews) -> Facts:
    """Everything about the link as it is now."""
    incident = opened.incident
    tenant = incident.tenant_id
    events = await engine.store.fetch(incidents.events(tenant, incident.id))
    current = today(engine, incident, opened.service)
    view = choose(
        Sight(
            incident=incident,
            claims=opened.claims,
            events=events,
            used=opened.used_at is not None,
            expired=opened.expired,
            current=current is not None and current.digest() == opened.claims.digest,
            recordable=engine.store.trouble is None,
        )
    )
    shown = None
    if view in PREVIEWING and current is not None:
        # What it would be now, which is not what was proposed where the configuration changed.
        shown = await previews.of(opened, _proposing(incident, current))
    head = await engine.store.fetch(checkpoints.checkpoint(tenant))
    return Facts(
        view=view,
        opened=opened,
        events=events,
        runs=await engine.store.fetch(runs.executions(tenant, incident.service_id, incident.id))
        if shown
        else [],
        shown=shown,
        watch=engine.watch(incident.service_id),
        policy=engine.policy,
        anchor=checkpoints.short(head) if head else None,
        now=engine.now(),
    )


def _proposing(incident: Incident, action: ActionSpec) -> Incident:
    return replace(incident, action=action)


def to_json(facts: Facts) -> dict[str, Any]:
    """The link's state for a program."""
    incident = facts.incident
    spec = facts.shown.action if facts.shown else incident.action
    action = {"name": spec.name, "kind": spec.kind, "description": spec.description} if spec else None
    return {
        "incident_id": incident.id,
        "tenant_id": incident.tenant_id,
        "service": incident.service,
        "title": incident.title,
        "stage": str(incident.stage),
        "view": str(facts.view),
        "standing": None if facts.view in DECIDING else standing(incident),
        "test": incident.is_test,
        "action": action,
        "preview": None,
        **(facts.shown.to_json() if facts.shown else {}),
        "approvals": {"required": incident.approvals_needed, "given": len(incident.approvals)},
        "execution": incident.execution.to_json() if incident.execution else None,
        "expires_at": rfc3339(facts.opened.claims.expires_at),
        "used_at": rfc3339(facts.opened.used_at) if facts.opened.used_at else None,
        "log_anchor": facts.anchor,
    }


def draw(facts: Facts) -> dict[str, Any]:
    """The parts of the page; a part that is None is not shown."""
    headline, lines = words(facts)
    whole = facts.view not in (View.EXPIRED_OPEN, View.EXPIRED_OVER)
    return {
        "view": str(facts.view),
        "tone": TONES[facts.view],
        "headline": headline,
        "lines": lines,
        "incident": facts.incident,
        "since": clock_time(since(facts), facts.now, seconds=False),
        "health": _health(facts) if whole else None,
        "why": _why(facts) if whole else None,
        "would": _would(facts) if facts.shown else None,
        "ran": _ran(facts) if whole and not facts.shown and facts.incident.execution else None,
        "approvals": _approvals(facts) if facts.view in DECIDING | {View.APPROVED} else None,
        "decide": facts.view in DECIDING,
        "fresh": facts.view is View.EXPIRED_OPEN and facts.opened.expired,
        "contact": facts.opened.contact,
        "expires_at": facts.opened.claims.expires_at,
        "left_s": round((facts.opened.claims.expires_at - facts.now).total_seconds()),
        "until": clock_time(facts.opened.claims.expires_at, facts.now),
        "trail": _trail(facts) if whole else None,
        "anchor": facts.anchor,
    }


def _health(facts: Facts) -> dict[str, Any]:
    last = facts.watch.last
    if last is None:
        return {"figure": "not known", "facts": "No report since AlertEngine started.", "chart": None}
    return {
        "figure": "no answer" if last.score is None else f"{last.score:.0f}",
        "state": str(last.health),
        "facts": f"{_sentence(_figures(last))} Asked {ago(last.at, facts.now)}.",
        "chart": chart(facts.watch.recent, since(facts), facts.now),
    }


def _sentence(parts: list[str]) -> str:
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if parts else ""


def _figures(last: Snapshot) -> list[str]:
    if last.error is not None:
        return [last.headline]
    requests = "requests" if last.sample_size is None else f"{last.sample_size} requests"
    figures = []
    if last.error_rate is not None:
        figures.append(f"in the last minute {share(last.error_rate)} of {requests} failed")
    if last.p95_ms is not None:
        figures.append(f"the slowest 5\u00a0% took over {milliseconds(last.p95_ms)}")
    return figures


def _why(facts: Facts) -> dict[str, Any] | None:
    diagnosis = facts.incident.diagnosis
    if diagnosis is None or facts.incident.is_test:
        return None
    clear = diagnosis["cause"] != UNCLEAR
    source = diagnosis["source"]
    return {
        "cause": CAUSES.get(diagnosis["cause"], diagnosis["cause"]),
        "clear": clear,
        "sure": f"{round(100 * diagnosis['confidence'])} % sure",
        "source": "by rules" if source == "rules" else f"by {source}, a model: check it",
        "summary": diagnosis["summary"],
        "check_first": diagnosis.get("check_first"),
        "evidence": [item["text"] for item in diagnosis.get("evidence", ())],
        "alternatives": [
            f"{CAUSES.get(a['cause'], a['cause'])} ({round(100 * a['confidence'])} %)"
            for a in diagnosis.get("alternatives", ())
        ],
    }


def _would(facts: Facts) -> dict[str, Any]:
    shown = facts.shown
    assert shown is not None
    spec = shown.action
    limit = spec.params.get("timeout_s")
    return {
        "name": spec.name,
        "description": spec.description,
        "runs": exact(shown.would_run),
        "on": facts.incident.service,
        "limit": f"Stopped after {span(limit)} at the latest." if isinstance(limit, int | float) else None,
        "risk": str(spec.risk),
        "says": block(shown.text, PREVIEW_LINES) if shown.text else None,
        "before": None if facts.incident.is_test else _before(facts, spec),
    }


def _before(facts: Facts, spec: ActionSpec) -> str:
    cause = (facts.incident.diagnosis or {}).get("cause", UNCLEAR)
    return experience.tell(experience.experience(facts.runs, spec.name, cause), spec.name)


def _ran(facts: Facts) -> dict[str, Any]:
    run = facts.incident.execution
    assert run is not None
    detail = run.detail or {}
    output = detail.get("output")
    return {
        "name": run.action,
        "ended": run.ended_at is not None,
        "steps": _steps(facts, run),
        "heading": "Its output" if run.status == "succeeded" else "The last lines of its output",
        "output": block(str(output), OUTPUT_LINES, tail=True) if output else None,
    }


def _steps(facts: Facts, run: Execution) -> list[dict[str, Any]]:
    """Authorized, ran, healthy: each done, going on, to come, or gone wrong."""
    began = next((e.at for e in reversed(facts.events) if e.type is EventType.RECOVERY_STARTED), None)
    name = who(facts, run.authorized_by)
    at = clock_time(run.authorized_at, facts.now)
    authorized = {"state": "done", "text": say("{} authorized it at {}", name, at)}
    return [authorized, _step_run(run, began, facts), _step_health(run, facts)]


def _step_run(run: Execution, began: datetime | None, facts: Facts) -> dict[str, Any]:
    if run.status in ("authorized", "started"):
        started = run.status == "started" and began is not None
        text = (
            say("{} runs since {}", run.action, clock_time(began, facts.now)) if started and began else None
        )
        return {"state": "now" if started else "todo", "text": text or say("{} starts", run.action)}
    # Where it went wrong, the detail is the page's first sentence already.
    detail = str((run.detail or {}).get("detail", "")) if run.status == "succeeded" else ""
    state, verb = _ENDED[run.status]
    return {
        "state": state,
        "text": say("{} {}: {}", run.action, verb, detail) if detail else say("{} {}", run.action, verb),
    }


def _step_health(run: Execution, facts: Facts) -> dict[str, Any]:
    service = facts.incident.service
    if facts.view is View.RECOVERED:
        at = clock_time(facts.incident.closed_at or facts.now, facts.now)
        return {"state": "done", "text": say("{} is healthy, verified at {}", service, at)}
    if facts.view is View.VERIFYING:
        return {"state": "now", "text": say("watching {}", service)}
    if run.status in ("authorized", "started"):
        return {"state": "todo", "text": say("then {} is watched", service)}
    if facts.view in (View.HEALED, View.CLOSED) or facts.incident.healthy:
        return {"state": "done", "text": say("{} is healthy", service)}
    return {"state": "bad", "text": say("{} is not healthy", service)}


def _approvals(facts: Facts) -> dict[str, Any]:
    incident = facts.incident
    return {
        "given": [who(facts, a) for a in incident.approvals],
        "required": incident.approvals_needed,
        "missing": incident.approvals_needed - len(incident.approvals),
    }


def _trail(facts: Facts) -> dict[str, Any]:
    shown = facts.events[-TRAIL_LIMIT:]
    rows = [{"at": clock_time(e.at, facts.now), "text": tell(e)} for e in shown]
    return {"rows": rows, "cut": len(facts.events) - len(shown)}


_ENDED = {
    "succeeded": ("done", "ran"),
    "failed": ("bad", "failed"),
    "unknown": ("bad", "may or may not have run"),
}

TONES = {
    **dict.fromkeys((View.AWAITING, View.MORE_NEEDED, View.FAILED, View.NOT_RECOVERED), "bad"),
    **dict.fromkeys((View.UNKNOWN, View.CHANGED, View.UNRECORDABLE, View.INVALID), "warn"),
    **dict.fromkeys((View.AUTHORIZED, View.RUNNING, View.VERIFYING, View.APPROVED, View.TEST), "busy"),
    **dict.fromkeys((View.RECOVERED, View.HEALED), "good"),
    **dict.fromkeys((View.REJECTED, View.EXPIRED_OPEN, View.EXPIRED_OVER, View.EARLIER, View.CLOSED), "calm"),
}
