"""What `diagnosis_completed` says."""

from __future__ import annotations

import logging
from typing import Any

from alertengine.core.diagnosis.blind import blind, unseeing
from alertengine.core.diagnosis.model import EvidenceItem, Finding
from alertengine.core.events import Event
from alertengine.core.experience import experience
from alertengine.core.incident import Incident
from alertengine.core.model import ActionSpec, Service
from alertengine.core.said import recorded
from alertengine.core.snapshot import Snapshot
from alertengine.pipeline.engine import Engine
from alertengine.store import runs
from alertengine.store.base import Query

log = logging.getLogger(__name__)


async def diagnosis_json(
    engine: Engine, past: Query[list[Event]], finding: Finding, action: ActionSpec | None
) -> dict[str, Any]:
    """By the rules; `past` finds the runs that count as experience."""
    return {
        **finding_json(finding),
        "source": engine.diagnoser.name,
        **proposal_json(action),
        "experience": await known_of(engine, past, action, finding.cause),
    }


async def find(engine: Engine, service: Service | None, snapshot: Snapshot) -> Finding:
    """What the rules find, and why they see little where the service keeps its evidence from us."""
    finding = await engine.diagnoser.diagnose(snapshot)
    return unseeing(finding, blind(snapshot, service.sealed_secret is not None)) if service else finding


async def known_of(
    engine: Engine, past: Query[list[Event]], action: ActionSpec | None, cause: str
) -> dict[str, Any] | None:
    """How the action did on this service before. Never raises: an alert does not wait for an old record either."""
    if action is None:
        return None
    try:
        events = await engine.store.fetch(past)
        known = experience(events, action.name, cause)
    except Exception:
        log.exception("what %s did before cannot be told", action.name)
        return None
    return known.to_json() if known else None


def past_of(incident: Incident) -> Query[list[Event]]:
    return runs.executions(incident.tenant_id, incident.service_id, but=incident.id)


def finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "cause": finding.cause,
        "confidence": round(finding.confidence, 3),
        "summary": finding.summary,
        "evidence": [_evidence(item) for item in finding.evidence],
        "alternatives": [{"cause": c, "confidence": round(p, 3)} for c, p in finding.alternatives],
        "route": finding.route,
        "dependency": finding.dependency,
        "check_first": finding.check_first,
        "blind": finding.blind,
        "said": {name: said.to_json() for name, said in finding.said.items()},
    }


def _evidence(item: EvidenceItem) -> dict[str, Any]:
    return {"id": item.id, **(recorded(text=item.said) if item.said else {}), "text": item.text}


def proposal_json(action: ActionSpec | None) -> dict[str, Any]:
    if action is None:
        return {"recommended_action": None, "action": None, "digest": None}
    return {"recommended_action": action.name, "action": action.to_json(), "digest": action.digest()}
