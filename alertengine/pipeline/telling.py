"""What a delivery tells of when it leaves: its incidents as they are now, worst first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from alertengine.core.events import Event
from alertengine.core.incident import Incident, fold
from alertengine.core.message import MessageKind, may_ask
from alertengine.pipeline.engine import Engine
from alertengine.store import incidents, outbox
from alertengine.store.outbox import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """`incident` is what the message is about before all, with the decision and the run that it was queued for;
    `then` how it stood when it was queued."""

    incident: Incident
    then: Incident
    others: tuple[Incident, ...] = ()


async def telling(engine: Engine, delivery: Delivery) -> Telling | None:
    """None where everything that it was about is gone."""
    found = []
    for incident_id, seq in await engine.store.fetch(outbox.about(delivery)):
        events = await engine.store.fetch(incidents.events(delivery.tenant_id, incident_id))
        if events:
            found.append((_as_told(events, seq), fold(_until(events, seq))))
    if not found:
        return None
    worst, *others = sorted(found, key=lambda pair: _gravity(delivery.kind, pair[0]))
    return Telling(incident=worst[0], then=worst[1], others=tuple(now for now, _ in others))


def _until(events: list[Event], seq: int) -> list[Event]:
    return [event for event in events if event.seq < seq] or events[:1]


def _as_told(events: list[Event], seq: int) -> Incident:
    """As it is now, but for whose decision and which run the message was queued: those may be others by now."""
    now, then = fold(events), fold(_until(events, seq))
    return replace(
        now,
        execution=then.execution,
        acknowledged_by=then.acknowledged_by,
        rejected_by=then.rejected_by,
        escalation=then.escalation,
    )


def _gravity(kind: MessageKind, incident: Incident) -> tuple[bool, bool, bool, float, str]:
    """What can be decided comes first, then what is open, critical, low in its score and old."""
    snapshot = incident.detected.get("snapshot") or {}
    score = snapshot.get("score")
    return (
        not may_ask(kind, incident),
        not incident.open,
        incident.severity != "critical",
        score if isinstance(score, (int, float)) else 0.0,
        incident.id,
    )
