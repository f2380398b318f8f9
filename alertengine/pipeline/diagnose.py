"""Name the likely cause and the recovery to propose."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from alertengine.core.diagnosis.model import Finding
from alertengine.core.events import Event, EventType, NewEvent
from alertengine.core.experience import experience
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.model import ActionSpec, Service
from alertengine.core.snapshot import Snapshot
from alertengine.pipeline.catalogue import TEST_ACTION, recommend, today
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import record
from alertengine.store import directory, runs
from alertengine.store.base import Query

log = logging.getLogger(__name__)

_TEST = Finding(
    cause="unclear",
    confidence=1.0,
    summary="This is a test: nothing is wrong.",
    evidence=(),
    alternatives=(),
    route=None,
    dependency=None,
    check_first="Nothing to check.",
)
_NONE = Finding(
    cause="unclear",
    confidence=0.0,
    summary="The diagnosis itself failed; look at the service's own logs.",
    evidence=(),
    alternatives=(),
    route=None,
    dependency=None,
    check_first="the service's own logs",
)


async def diagnose(engine: Engine, incident: Incident) -> None:
    if incident.is_test:
        finding = _TEST
        action: ActionSpec | None = TEST_ACTION
    else:
        service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
        finding = await find_cause(engine, service)
        action = recommend(engine.recoveries(service), finding) if service else None
    data = await diagnosis_json(engine, _past(incident), finding, action)
    await record(engine, incident, [NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=data)])


async def propose_anew(engine: Engine, incident: Incident) -> bool:
    """Propose the action as it is configured now, where it is not what people were shown. True if so."""
    if incident.stage not in DECIDABLE or incident.diagnosis is None or incident.action is None:
        return False
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    current = today(engine, incident, service)
    if current == incident.action:
        return False
    known = await _experience(engine, _past(incident), current, incident.diagnosis["cause"])
    data = {**incident.diagnosis, **_proposal(current), "experience": known}
    await record(engine, incident, [NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=data)])
    return True


async def find_cause(engine: Engine, service: Service | None) -> Finding:
    """By fresh evidence where the service gives it. Never raises: an alert does not wait for a reason."""
    try:
        snapshot = await _evidence(engine, service)
        return await engine.diagnoser.diagnose(snapshot) if snapshot else _NONE
    except Exception:
        log.exception("the diagnosis failed")
        return _NONE


async def _evidence(engine: Engine, service: Service | None) -> Snapshot | None:
    if service is None:
        return None
    watch = engine.watch(service.id)
    last = watch.last
    if last is not None and last.error is not None:
        return replace(last, report=watch.last_report)
    if service.sealed_secret is None:
        return last
    fresh = await engine.source.poll(service, evidence=True)
    return last if fresh.error is not None and last is not None else fresh


async def diagnosis_json(
    engine: Engine, past: Query[list[Event]], finding: Finding, action: ActionSpec | None
) -> dict[str, Any]:
    """What `diagnosis_completed` says; `past` finds the runs that count as experience."""
    return {
        **_finding(finding),
        "source": engine.diagnoser.name,
        **_proposal(action),
        "experience": await _experience(engine, past, action, finding.cause),
    }


async def _experience(
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


def _past(incident: Incident) -> Query[list[Event]]:
    return runs.executions(incident.tenant_id, incident.service_id, but=incident.id)


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "cause": finding.cause,
        "confidence": round(finding.confidence, 3),
        "summary": finding.summary,
        "evidence": [{"id": item.id, "text": item.text} for item in finding.evidence],
        "alternatives": [{"cause": c, "confidence": round(p, 3)} for c, p in finding.alternatives],
        "route": finding.route,
        "dependency": finding.dependency,
        "check_first": finding.check_first,
    }


def _proposal(action: ActionSpec | None) -> dict[str, object]:
    if action is None:
        return {"recommended_action": None, "action": None, "digest": None}
    return {"recommended_action": action.name, "action": action.to_json(), "digest": action.digest()}
