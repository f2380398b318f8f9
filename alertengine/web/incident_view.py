"""What the pages for looking show: a list of incidents, and one as a story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from alertengine.core.account import tell
from alertengine.core.diagnosis.model import UNCLEAR
from alertengine.core.diagnosis.told import by_rules, named_cause, of_model, percent
from alertengine.core.events import Event, EventType, Stage
from alertengine.core.incident import Incident, fold
from alertengine.core.language import Words
from alertengine.core.said import spoken
from alertengine.core.trouble import title
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


_STAGE_TONES: dict[str, str] = {
    **dict.fromkeys((Stage.DETECTED, Stage.DIAGNOSED, Stage.ALERTED), "bad"),
    **dict.fromkeys((Stage.AUTHORIZED, Stage.RECOVERING, Stage.VERIFYING), "busy"),
    **dict.fromkeys((Stage.EXPIRED, Stage.UNKNOWN), "warn"),
    Stage.RESOLVED: "good",
    Stage.REJECTED: "calm",
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
_EVENT_TONES: dict[str, str] = {
    EventType.INCIDENT_DETECTED: "bad",
    EventType.INCIDENT_CHANGED: "bad",
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


def draw_list(
    rows: Sequence[IncidentRow], known: Mapping[str, Incident], now: datetime, words: Words
) -> dict[str, Any]:
    """`known`: by id, each as far as it takes to name it in any language."""
    return {"rows": [_row(row, known.get(row.id), now, words) for row in rows]}


def _row(row: IncidentRow, opened: Incident | None, now: datetime, words: Words) -> dict[str, Any]:
    tone, over = _STAGE_TONES[row.stage], row.closed_at is not None
    lasted = words.span(((row.closed_at or now) - row.opened_at).total_seconds())
    stands = words(f"look.stage.{row.stage}")
    return {
        "id": row.id,
        "title": line(title(opened, words) if opened else row.title),
        "service": row.service,
        "test": row.is_test,
        "tone": tone,
        "symbol": SYMBOLS[tone],
        "standing": words("look.after" if over else "look.for", standing=stands, span=lasted),
        "opened": clock_time(row.opened_at, now, seconds=False),
    }


def draw(engine: Engine, events: Sequence[Event], words: Words) -> dict[str, Any]:
    incident, now = fold(events), engine.now()
    tone = _STAGE_TONES[incident.stage]
    return {
        "incident": incident,
        "title": line(title(incident, words)),
        "tone": tone,
        "symbol": SYMBOLS[tone],
        "standing": words(f"look.stage.{incident.stage}"),
        "opened": clock_time(incident.opened_at, now),
        "closed": clock_time(incident.closed_at, now) if incident.closed_at else None,
        "lasted": words.span(((incident.closed_at or now) - incident.opened_at).total_seconds()),
        "day": f"{incident.opened_at:%Y-%m-%d}",
        "printed": f"{now:%Y-%m-%d %H:%M:%S} UTC",
        "health": _health(engine, incident, now, words),
        "why": _why(incident, words),
        "proposed": _proposed(engine, incident),
        "ran": _ran(incident, words),
        "story": _story(events, now, words),
    }


def _health(engine: Engine, incident: Incident, now: datetime, words: Words) -> dict[str, Any] | None:
    """As it is now, while that still says something about the incident."""
    watch = engine.watch(incident.service_id)
    if not incident.open or incident.is_test or watch.last is None:
        return None
    score = watch.last.score
    figure = words("page.health.no_answer") if score is None else f"{score:.0f} {words('page.health.of')}"
    return {"figure": figure, "chart": chart(watch.recent, incident.opened_at, now, words)}


def _why(incident: Incident, words: Words) -> dict[str, Any] | None:
    """What the rules say; what a model read stands beside it, and says that it is the model's."""
    if incident.diagnosis is None or incident.is_test:
        return None
    diagnosis = by_rules(incident.diagnosis)
    clear = diagnosis["cause"] != UNCLEAR
    return {
        "cause": named_cause(diagnosis["cause"], words) if clear else None,
        "sure": words("page.why.sure", sure=percent(diagnosis, words)),
        "summary": line(spoken(diagnosis, words)["summary"]),
        "model": line(of_model(incident.diagnosis, words)),
        "evidence": [line(spoken(item, words)["text"]) for item in diagnosis.get("evidence", ())],
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


def _ran(incident: Incident, words: Words) -> dict[str, Any] | None:
    run = incident.execution
    if run is None:
        return None
    detail = spoken(run.detail or {}, words)
    output = detail.get("output")
    said = line(detail.get("detail", "")).rstrip(".")
    return {
        "name": run.action,
        "by": run.authorized_by.name,
        "status": words(f"status.{run.status}"),
        "detail": f"{said[:1].upper()}{said[1:]}." if said else "",
        "output": block(str(output), OUTPUT_LINES, tail=True) if output else None,
    }


def _story(events: Sequence[Event], now: datetime, words: Words) -> list[dict[str, Any]]:
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
                "tone": _EVENT_TONES.get(event.type, ""),
                "text": line(tell(event, words)),
                "passed": f"+{words.span(passed)}" if passed >= NOTABLE_S else "",
                "leaf": event.hash[:16],
            }
        )
        before = event
    return rows
