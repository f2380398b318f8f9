"""Run an authorized recovery, whose start is already on record, and record how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import Execution, Incident
from alertengine.core.message import MessageKind
from alertengine.core.model import ActionSpec, Service
from alertengine.core.policy import START_WITHIN_S
from alertengine.core.said import Figure, Said, recorded
from alertengine.errors import AlertEngineError
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.pipeline.progress import refresh
from alertengine.ports import Outcome, Run
from alertengine.store import directory, incidents
from alertengine.store.base import Transaction
from alertengine.tools import ended

log = logging.getLogger(__name__)

RECORD_AGAIN_S = 1.0

_EVENTS = {
    "succeeded": (EventType.RECOVERY_SUCCEEDED, None),
    "failed": (EventType.RECOVERY_FAILED, None),
    "unknown": (EventType.RECOVERY_OUTCOME_UNKNOWN, MessageKind.UNKNOWN),
}


async def execute(engine: Engine, incident: Incident, action: ActionSpec, execution: Execution) -> None:
    outcome = await run(engine, incident, action, execution)
    try:
        await _record(engine, incident, execution, outcome)
    except Exception as error:  # an outcome that cannot be written down as it is must still be told
        log.exception("%s: its outcome cannot be recorded as it is", incident.id)
        await _record(engine, incident, execution, _lost(error))
    engine.memory.outbox.set()
    engine.spawn(refresh(engine, incident.tenant_id, incident.id))


async def _record(engine: Engine, incident: Incident, execution: Execution, outcome: Outcome) -> None:
    kind, message = _EVENTS[outcome.status]
    detail = recorded(detail=outcome.said) if outcome.said else {"detail": outcome.detail}
    data = {"execution_id": execution.id, **detail, **outcome.facts}
    ended = NewEvent(type=kind, data=data)

    def work(tx: Transaction) -> None:
        state = tx.fetch(incidents.incident(incident.tenant_id, incident.id))
        assert state is not None
        append(engine, tx, state, [ended], message)

    await _recorded(engine, work)


async def run(engine: Engine, incident: Incident, action: ActionSpec, execution: Execution) -> Outcome:
    """Exactly one call of the action. Whatever breaks after that call began is an unknown outcome."""
    if incident.is_test:
        return ended("succeeded", "test", {"ran": False})
    try:
        service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    except AlertEngineError as error:
        return ended("failed", "not", {"ran": False}, reason=str(error))
    if service is None or action.kind not in engine.actions:
        return ended("failed", "unconfigured", {"ran": False})
    if engine.now() > execution.authorized_at + timedelta(seconds=START_WITHIN_S):
        # The process stood still after the start was recorded: what was approved then is not done now.
        late = Said("reason.too_late", {"span": Figure(START_WITHIN_S, "s")})
        return ended("failed", "not", {"ran": False}, reason=late)
    try:
        return await engine.actions[action.kind].execute(action, about(incident, service, execution.id))
    except Exception as error:
        log.exception("%s: the action broke", incident.id)
        return _lost(error)


def _lost(error: Exception) -> Outcome:
    return ended("unknown", "sight", {}, error=type(error).__name__)


def about(incident: Incident, service: Service, execution_id: str) -> Run:
    return Run(
        execution_id=execution_id, incident_id=incident.id, tenant_id=incident.tenant_id, service=service
    )


async def _recorded(engine: Engine, work: Callable[[Transaction], None]) -> None:
    """The effect happened: its record is tried until it stands, and the action is never run again for it."""
    while True:
        try:
            await engine.store.transact(work)
            return
        except AlertEngineError as error:
            log.error("an outcome cannot be recorded yet: %s", error)
            await engine.clock.sleep(RECORD_AGAIN_S)
