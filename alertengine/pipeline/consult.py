"""A diagnosis on demand: of a service as it is now, or of an incident as it was found. Records and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alertengine.core.diagnosis.model import Finding
from alertengine.core.diagnosis.redaction import redacted
from alertengine.core.incident import Incident
from alertengine.core.model import ActionSpec, Service
from alertengine.core.snapshot import Health, Snapshot, read_report
from alertengine.errors import NotFound
from alertengine.pipeline import inquire, opinions
from alertengine.pipeline.catalogue import recommend
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.findings import diagnosis_json, find
from alertengine.store import directory, incidents, runs, spending
from alertengine.store import evidence as stored


async def consult(
    engine: Engine, subject: str, *, model: bool = False, evidence: bool = False
) -> dict[str, Any]:
    """`subject`: an incident's id, a service's id or its name. Raises `NotFound` where that is not one thing.

    `model`: ask the configured model now, on the same evidence; raises `Refused` where it may not be asked.
    `evidence`: answer with the report too, redacted.
    """
    owner = await engine.store.fetch(incidents.owner(subject))
    incident = await engine.store.fetch(incidents.incident(owner, subject)) if owner else None
    if incident is not None and incident.diagnosis is not None:
        return await _as_found(engine, incident, incident.diagnosis, model, evidence)
    wanted = subject if incident is None else incident.service_id
    found = [s for s in await engine.store.fetch(directory.services()) if wanted in (s.id, s.name)]
    if len(found) != 1:
        raise NotFound(_not_one(subject, found))
    return await _now(engine, found[0], model, evidence)


async def _now(engine: Engine, service: Service, model: bool, evidence: bool) -> dict[str, Any]:
    snapshot = await engine.source.poll(service, evidence=True)
    if snapshot.error is not None:
        # Its last words may tell why it fell silent.
        snapshot = replace(snapshot, report=engine.watch(service.id).last_report)
    finding = await find(engine, service, snapshot)
    action = None
    if snapshot.health is not Health.OK:
        action = recommend(await _recoveries(engine, service, snapshot), finding)
    past = runs.executions(service.tenant_id, service.id, but="")
    data = await diagnosis_json(engine, past, finding, action)
    if model:
        trouble = {"service": service.name, "what": f"asked by hand; health is {snapshot.health}"}
        data = await _read_too(
            engine, service, {**trouble, "reason": snapshot.headline}, snapshot.report, finding, data
        )
    return {
        "tenant_id": service.tenant_id,
        "service": service.name,
        "incident_id": None,
        "health": snapshot.to_json(),
        **data,
        **({"report": redacted(snapshot.report or {})} if evidence else {}),
    }


async def _read_too(
    engine: Engine,
    service: Service,
    trouble: Mapping[str, str],
    report: Mapping[str, Any] | None,
    finding: Finding,
    rules: Mapping[str, Any],
) -> dict[str, Any]:
    """What the model makes of the same, beside what the rules make of it."""
    asked = await inquire.questions(engine, service, trouble, report, finding)
    told = opinions.reading_json(engine, await inquire.by_hand(engine, service.tenant_id, asked))
    return {**rules, **told, "rules": dict(rules)} if "source" in told else {**rules, **told}


async def _recoveries(engine: Engine, service: Service, snapshot: Snapshot) -> tuple[ActionSpec, ...]:
    """What may be proposed; a process that does not poll has yet to ask what the service offers."""
    known = engine.recoveries(service)
    if known or service.actions is not None or snapshot.error is not None:
        return known
    return await engine.source.recoveries(service) or ()


async def _as_found(
    engine: Engine, incident: Incident, diagnosis: Mapping[str, Any], model: bool, evidence: bool
) -> dict[str, Any]:
    kept = (
        await engine.store.fetch(stored.newest(incident.tenant_id, incident.id))
        if model or evidence
        else None
    )
    if kept is None and (model or evidence):
        raise NotFound(f"The evidence of {incident.id} is not kept: there was none, or it was pruned.")
    data = dict(diagnosis)
    if model and kept is not None:
        data = await _read_again(engine, incident, kept)
    asked = await engine.store.fetch(spending.kept(incident.tenant_id, incident.id))
    return {
        "tenant_id": incident.tenant_id,
        "service": incident.service,
        "incident_id": incident.id,
        "health": incident.detected.get("snapshot"),
        **data,
        "asked": [question.to_json() for question in asked],
        **({"report": kept} if evidence else {}),
    }


async def _read_again(engine: Engine, incident: Incident, report: dict[str, Any]) -> dict[str, Any]:
    """What rules and model make of a past incident's evidence today."""
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    if service is None:
        raise NotFound(f"{incident.service} is not watched any more.")
    snapshot = read_report(engine.now(), report)
    finding = await engine.diagnoser.diagnose(snapshot)
    action = recommend(await _recoveries(engine, service, snapshot), finding)
    past = runs.executions(incident.tenant_id, incident.service_id, but=incident.id)
    rules = await diagnosis_json(engine, past, finding, action)
    trouble = {"service": incident.service, "what": incident.title}
    return await _read_too(engine, service, trouble, report, finding, rules)


def _not_one(subject: str, found: list[Service]) -> str:
    if not found:
        return f"There is no service and no incident {subject}."
    ids = ", ".join(service.id for service in found)
    return f"Several services are called {subject}; give the id of one: {ids}"
