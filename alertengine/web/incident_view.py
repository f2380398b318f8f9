"""What the pages for looking show: a list of incidents, and one as a story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from alertengine.core.account import span, tell
from alertengine.core.diagnosis.model import CAUSES, UNCLEAR
from alertengine.core.diagnosis.told import by_rules, of_model
from alertengine.core.events import Event, EventType, Stage
from alertengine.core.incident import Incident, fold
from alertengine.core.language import ENGLISH
from alertengine.pipeline.engine import Engine
from alertengine.store.incidents import IncidentRow
from alertengine.web.page import SYMBOLS
from alertengine.web.recover_chart import chart
from alertengine.web.recover_text import block, clock_time, exact, line

OUTPUT_LINES = 20
NOTABLE_S = 1.0
"""What follows sooner follows at once."""


class State(StrEnum):
    ALL = "all"
    OPEN = "open"
    OVER = "over"


STANDING: dict[str, tuple[str, str]] = {
    Stage.DETECTED: ("bad", "noticed a moment ago"),
    Stage.DIAGNOSED: ("bad", "people are being told"),
    Stage.ALERTED: ("bad", "waits for a decision"),
    Stage.AUTHORIZED: ("busy", "authorized, about to run"),
    Stage.RECOVERING: ("busy", "the recovery runs"),
    Stage.VERIFYING: ("busy", "it ran; health is watched"),
    Stage.RESOLVED: ("good", "over"),
    Stage.EXPIRED: ("warn", "nobody decided in time"),
    Stage.REJECTED: ("calm", "decided not to run it"),
    Stage.UNKNOWN: ("warn", "it is not known whether the recovery ran"),
}
"""Tone and words of each stage."""

_RUNS = {
    "authorized": "it has not started yet",
    "started": "it runs",
    "succeeded": "it reports success",
    "failed": "it failed",
    "unknown": "it is not known whether it ran",
}

_QUIET = frozenset(
    {
        EventType.ALERT_QUEUED,
        EventType.ALERT_ACCEPTED,
        EventType.ALERT_DELIVERED,
        EventType.ALERT_READ,
        EventType.RECOVERY_PREVIEWED,
    }
)
_TONES: dict[str, str] = {
    EventType.INCIDENT_DETECTED: "bad",
    EventType.RECOVERY_FAILED: "bad",
    EventType.HEALTH_NOT_RECOVERED: "bad",
    EventType.ALERT_DEAD: "bad",
    EventType.AUTHORIZATION_REFUSED: "warn",
    EventType.RECOVERY_OUTCOME_UNKNOWN: "warn",
    EventType.INCIDENT_EXPIRED: "warn",
    EventType.RECOVERY_SUCCEEDED: "good",
    EventType.HEALTH_VERIFIED: "good",
    EventType.INCIDENT_RESOLVED: "good",
}


def draw_list(rows: Sequence[IncidentRow], now: datetime) -> dict[str, Any]:
    return {"rows": [_row(row, now) for row in rows]}


def _row(row: IncidentRow, now: datetime) -> dict[str, Any]:
    tone, words = STANDING[row.stage]
    lasted = span(((row.closed_at or now) - row.opened_at).total_seconds())
    return {
        "id": row.id,
        "title": line(row.title),
        "service": row.service,
        "test": row.is_test,
        "tone": tone,
        "symbol": SYMBOLS[tone],
        "standing": f"{words} after {lasted}" if row.closed_at else f"{words}, for {lasted}",
        "opened": clock_time(row.opened_at, now, seconds=False),
    }


def draw(engine: Engine, events: Sequence[Event]) -> dict[str, Any]:
    incident, now = fold(events), engine.now()
    tone, words = STANDING[incident.stage]
    lasted = span(((incident.closed_at or now) - incident.opened_at).total_seconds())
    return {
        "incident": incident,
        "tone": tone,
        "symbol": SYMBOLS[tone],
        "standing": words,
        "opened": clock_time(incident.opened_at, now),
        "closed": clock_time(incident.closed_at, now) if incident.closed_at else None,
        "lasted": lasted,
        "day": incident.opened_at.strftime("%d %B %Y"),
        "printed": now.strftime("%d %B %Y %H:%M:%S UTC"),
        "health": _health(engine, incident, now),
        "why": _why(incident),
        "proposed": _proposed(engine, incident),
        "ran": _ran(incident),
        "story": _story(events, now),
    }


def _health(engine: Engine, incident: Incident, now: datetime) -> dict[str, Any] | None:
    """As it is now, while that still says something about the incident."""
    watch = engine.watch(incident.service_id)
    if not incident.open or incident.is_test or watch.last is None:
        return None
    score = watch.last.score
    figure = "no answer" if score is None else f"{score:.0f} of 100"
    return {"figure": figure, "chart": chart(watch.recent, incident.opened_at, now, ENGLISH)}


def _why(incident: Incident) -> dict[str, Any] | None:
    if incident.diagnosis is None or incident.is_test:
        return None
    diagnosis = by_rules(incident.diagnosis)
    clear = diagnosis["cause"] != UNCLEAR
    return {
        "cause": CAUSES.get(diagnosis["cause"], diagnosis["cause"]) if clear else None,
        "sure": f"{round(100 * diagnosis['confidence'])} %",
        "summary": line(diagnosis["summary"]),
        "model": line(of_model(incident.diagnosis, ENGLISH)),
        "evidence": [line(item["text"]) for item in diagnosis.get("evidence", ())],
    }


def _proposed(engine: Engine, incident: Incident) -> dict[str, Any] | None:
    spec = incident.action
    if spec is None:
        return None
    action = engine.actions.get(spec.kind)
    real = action is not None and not incident.is_test
    return {
        "name": spec.name,
        "description": line(spec.description),
        "risk": str(spec.risk),
        "runs": exact(action.describe(spec)) if action is not None and real else None,
        "given": [a.name for a in incident.approvals],
        "required": spec.approvals,
    }


def _ran(incident: Incident) -> dict[str, Any] | None:
    run = incident.execution
    if run is None:
        return None
    detail = run.detail or {}
    output = detail.get("output")
    said = line(detail.get("detail", "")).rstrip(".")
    return {
        "name": run.action,
        "by": run.authorized_by.name,
        "status": _RUNS[run.status],
        "detail": f"{said[:1].upper()}{said[1:]}." if said else "",
        "output": block(str(output), OUTPUT_LINES, tail=True) if output else None,
    }


def _story(events: Sequence[Event], now: datetime) -> list[dict[str, Any]]:
    rows, before = [], None
    for event in events:
        passed = (event.at - before.at).total_seconds() if before else 0.0
        rows.append(
            {
                "seq": event.seq,
                "at": clock_time(event.at, now),
                "who": event.actor.name,
                "human": event.actor.human,
                "quiet": event.type in _QUIET,
                "tone": _TONES.get(event.type, ""),
                "text": line(tell(event)),
                "passed": f"+{span(passed)}" if passed >= NOTABLE_S else "",
                "leaf": event.hash[:16],
            }
        )
        before = event
    return rows
