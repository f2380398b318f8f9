"""What was refused to callers of the API: on record in the system's own log, floods as a count."""

from __future__ import annotations

from typing import Any

from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import Actor
from alertengine.errors import StoreUnavailable
from alertengine.pipeline.engine import Engine
from alertengine.store import system

SUBJECT = "access"
EVERY_S = 60.0
STRANGER = Actor(kind="stranger", id="-", name="somebody without a valid key")


def note(engine: Engine, code: str, actor: Actor, data: dict[str, Any]) -> None:
    """Write it down beside the answer, which does not wait: how long it takes must tell nobody anything."""
    count = engine.worth_noting(f"{SUBJECT} {code} {actor.id}", every_s=EVERY_S)
    if count:
        told = {"code": code, "count": count, **data}
        engine.spawn(_write(engine, NewEvent(type=EventType.AUTHORIZATION_REFUSED, data=told, actor=actor)))


async def _write(engine: Engine, event: NewEvent) -> None:
    try:
        await engine.store.transact(lambda tx: system.note(tx, SUBJECT, event, engine.now()))
    except StoreUnavailable:
        pass  # the store tells of its trouble itself
