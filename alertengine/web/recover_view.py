"""From an opened link to what its page and its JSON show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alertengine.core import experience
from alertengine.core.account import tell
from alertengine.core.approval import standing
from alertengine.core.diagnosis.model import UNCLEAR
from alertengine.core.diagnosis.told import named_cause
from alertengine.core.events import EventType
from alertengine.core.incident import Execution, Incident
from alertengine.core.language import Words
from alertengine.core.model import ActionSpec, rfc3339
from alertengine.core.said import spoken
from alertengine.core.snapshot import Snapshot
from alertengine.core.trouble import began, headline
from alertengine.core.view import DECIDING, PREVIEWING, Sight, View, choose
from alertengine.pipeline.approve import Opened
from alertengine.pipeline.catalogue import today
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.preview import Preview, preview
from alertengine.store import checkpoints, incidents, runs
from alertengine.web.recover_chart import chart
from alertengine.web.recover_text import ago, block, clock_time, exact
from alertengine.web.recover_words import Facts, lead, who

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
            approved=any(opened.crowd.same(a, opened.contact.actor) for a in incident.approvals),
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
        words=engine.words(opened.contact),
        cost=engine.cost(opened.service, began(incident)),
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
    headline, lines = lead(facts)
    whole = facts.view not in (View.EXPIRED_OPEN, View.EXPIRED_OVER)
    return {
        "view": str(facts.view),
        "tone": TONES[facts.view],
        "headline": headline,
        "lines": lines,
        "words": facts.words,
        "incident": facts.incident,
        "title": facts.title,
        "since": clock_time(began(facts.incident), facts.now, seconds=False),
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
        return {
            "figure": facts.words("page.health.unknown"),
            "state": None,
            "facts": facts.words("page.health.no_report"),
            "chart": None,
        }
    asked = facts.words("page.health.asked", ago=ago(last.at, facts.now, facts.words))
    return {
        "figure": facts.words("page.health.no_answer") if last.score is None else f"{last.score:.0f}",
        "state": None if last.score is None else facts.words(f"health.{last.health}"),
        "facts": f"{_sentence(_figures(last, facts.words))} {asked}".strip(),
        "chart": chart(facts.watch.recent, began(facts.incident), facts.now, facts.words),
    }


def _sentence(parts: list[str]) -> str:
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if parts else ""


def _figures(last: Snapshot, words: Words) -> list[str]:
    if last.error is not None:
        return [headline(last.to_json(), words)]
    figures = []
    if last.error_rate is not None:
        share = words.percent(last.error_rate)
        figures.append(
            words("page.health.failed_share", share=share)
            if last.sample_size is None
            else words.count("page.health.failed", last.sample_size, share=share)
        )
    if last.p95_ms is not None:
        figures.append(words("page.health.slowest", time=words.milliseconds(last.p95_ms)))
    return figures


def _why(facts: Facts) -> dict[str, Any] | None:
    diagnosis = facts.incident.diagnosis
    if diagnosis is None or facts.incident.is_test:
        return None
    words, source = facts.words, diagnosis["source"]
    diagnosis = spoken(diagnosis, words)
    return {
        "cause": named_cause(diagnosis["cause"], words),
        "known": diagnosis["cause"] != UNCLEAR,  # not "clear": that is what a dict can do
        "sure": words("page.why.sure", sure=_sure(diagnosis, words)),
        "source": words("page.why.rules") if source == "rules" else words("page.why.model", source=source),
        "summary": diagnosis["summary"],
        "check_first": diagnosis.get("check_first"),
        "evidence": [spoken(item, words)["text"] for item in diagnosis.get("evidence", ())],
        "alternatives": [
            f"{named_cause(a['cause'], words)} ({_sure(a, words)})" for a in diagnosis.get("alternatives", ())
        ],
    }


def _sure(judged: Mapping[str, Any], words: Words) -> str:
    return words("number.percent", n=round(100 * judged["confidence"]))


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
        "limit": facts.words("page.limit", span=facts.words.span(limit))
        if isinstance(limit, int | float)
        else None,
        "risk": str(spec.risk),
        "says": block(shown.text, PREVIEW_LINES) if shown.text else None,
        "before": None if facts.incident.is_test else _before(facts, spec),
    }


def _before(facts: Facts, spec: ActionSpec) -> str:
    cause = (facts.incident.diagnosis or {}).get("cause", UNCLEAR)
    known = experience.experience(facts.runs, spec.name, cause)
    return experience.tell(known, spec.name, facts.words)


def _ran(facts: Facts) -> dict[str, Any]:
    run = facts.incident.execution
    assert run is not None
    detail = run.detail or {}
    output = detail.get("output")
    return {
        "name": run.action,
        "ended": run.ended_at is not None,
        "steps": _steps(facts, run),
        "heading": facts.words("page.output" if run.status == "succeeded" else "page.output.last"),
        "output": block(str(output), OUTPUT_LINES, tail=True) if output else None,
    }


def _steps(facts: Facts, run: Execution) -> list[dict[str, Any]]:
    """Authorized, ran, healthy: each done, going on, to come, or gone wrong."""
    began = next((e.at for e in reversed(facts.events) if e.type is EventType.RECOVERY_STARTED), None)
    by = facts.say(
        "page.step.authorized", who=who(facts, run.authorized_by), at=facts.time(run.authorized_at)
    )
    authorized = {"state": "done", "text": by}
    steps = [authorized, _step_run(run, began, facts)]
    return steps if facts.incident.is_test else [*steps, _step_health(run, facts)]


def _step_run(run: Execution, began: datetime | None, facts: Facts) -> dict[str, Any]:
    if run.status in ("authorized", "started"):
        if run.status == "started" and began is not None:
            runs = facts.say("page.step.runs_since", action=run.action, at=facts.time(began))
            return {"state": "now", "text": runs}
        return {"state": "todo", "text": facts.say("page.step.starts", action=run.action)}
    # Where it went wrong, the detail is the page's first sentence already.
    detail = str(spoken(run.detail or {}, facts.words).get("detail", "")) if run.status == "succeeded" else ""
    if detail:
        return {"state": "done", "text": facts.say("page.step.ran_so", action=run.action, detail=detail)}
    state, key = _ENDED[run.status]
    return {"state": state, "text": facts.say(key, action=run.action)}


def _step_health(run: Execution, facts: Facts) -> dict[str, Any]:
    state, key = _health_step(run, facts)
    at = facts.time(facts.incident.closed_at or facts.now)
    return {"state": state, "text": facts.say(key, service=facts.incident.service, at=at)}


def _health_step(run: Execution, facts: Facts) -> tuple[str, str]:
    if facts.view is View.RECOVERED:
        return "done", "page.step.verified"
    if facts.view is View.VERIFYING:
        return "now", "page.step.watching"
    if run.status in ("authorized", "started"):
        return "todo", "page.step.then"
    if facts.view in (View.HEALED, View.CLOSED) or facts.incident.healthy:
        return "done", "page.step.healthy"
    return "bad", "page.step.not_healthy"


def _approvals(facts: Facts) -> dict[str, Any]:
    incident = facts.incident
    return {
        "given": [who(facts, a) for a in incident.approvals],
        "required": incident.approvals_needed,
        "missing": incident.approvals_needed - len(incident.approvals),
    }


def _trail(facts: Facts) -> dict[str, Any]:
    shown = facts.events[-TRAIL_LIMIT:]
    rows = [{"at": clock_time(e.at, facts.now), "text": tell(e, facts.words)} for e in shown]
    return {"rows": rows, "cut": len(facts.events) - len(shown)}


_ENDED = {
    "succeeded": ("done", "page.step.ran"),
    "failed": ("bad", "page.step.failed"),
    "unknown": ("bad", "page.step.unknown"),
}

TONES = {
    **dict.fromkeys((View.AWAITING, View.MORE_NEEDED, View.FAILED, View.NOT_RECOVERED), "bad"),
    **dict.fromkeys((View.UNKNOWN, View.CHANGED, View.UNRECORDABLE, View.INVALID), "warn"),
    **dict.fromkeys((View.AUTHORIZED, View.RUNNING, View.VERIFYING, View.APPROVED, View.TEST), "busy"),
    **dict.fromkeys((View.RECOVERED, View.HEALED), "good"),
    **dict.fromkeys((View.REJECTED, View.EXPIRED_OPEN, View.EXPIRED_OVER, View.EARLIER, View.CLOSED), "calm"),
}
