"""Watching the daemon's own parts: what does not work, what that means, and who is told."""

from __future__ import annotations

import logging
from typing import Any

from alertengine.core.detection import Watch
from alertengine.core.diagnosis.reading import mapping
from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.message import MessageKind
from alertengine.core.mode import Condition, Fact, Mode
from alertengine.core.model import rfc3339
from alertengine.core.said import Said
from alertengine.core.steady import FOLLOW_S
from alertengine.errors import AlertEngineError
from alertengine.pipeline import inquire
from alertengine.pipeline.emergency import Notice, tell_everyone
from alertengine.pipeline.engine import Engine
from alertengine.store import tellings
from alertengine.store.log import SYSTEM_TREE

log = logging.getLogger(__name__)

STALLED_AFTER_S = 30.0


async def look(engine: Engine) -> Condition:
    """Look at every part now, record a change of mode, and tell people where it is an emergency."""
    _see_clock(engine)
    await engine.store.watch()
    facts = await _facts(engine)
    # Several may look at once, and one of them tells of a change: nothing is awaited from here to there.
    before = engine.memory.condition
    engine.memory.condition = after = before.see(facts, engine.clock.monotonic())
    if before.mode is not after.mode:
        log.warning("Mode %s. %s", after.mode, "; ".join(after.reasons))
        _note(engine, SystemEventType.MODE_CHANGED, mode=str(after.mode), reasons=after.reasons)
        if Mode.EMERGENCY in (before.mode, after.mode):
            engine.spawn(_tell(engine, after))
    if engine.memory.unrecorded and engine.store.trouble is None:
        await _record(engine)
    if engine.store.trouble:
        await engine.store.probe()
    return after


_STATES = {**dict.fromkeys(("sending", "accepted", "delivered", "read"), "ok"), "unused": "unused"}


async def channels(engine: Engine) -> dict[str, dict[str, Any]]:
    """Each channel's state by its last delivery."""
    try:
        last = await engine.store.fetch(tellings.last_outcomes())
    except AlertEngineError:
        last = {}
    rows = {}
    for name, channel in engine.channels.items():
        outcome, error = last.get(name) or last.get(channel.kind) or ("unused", None)
        state = _STATES.get(outcome, "failing")
        rows[name] = {"state": state, "kind": channel.kind, "error": error}
    return rows


def loop_age_s(engine: Engine) -> float | None:
    ticked = engine.memory.ticked_at
    return None if ticked is None else round(engine.clock.monotonic() - ticked, 3)


def loop_trouble(engine: Engine) -> str | None:
    age = loop_age_s(engine)
    return f"the loop has not run for {age:.0f} s" if age is not None and age > STALLED_AFTER_S else None


async def _facts(engine: Engine) -> list[Fact]:
    facts = [
        Fact(part="store", trouble=engine.store.trouble, costs=Mode.EMERGENCY),
        Fact(part="mark", trouble=engine.store.unease),
        Fact(part="loop", trouble=loop_trouble(engine)),
        Fact(part="clock", trouble=engine.clock.look().trouble),
        Fact(part="model", trouble=inquire.complaint(engine)),
    ]
    facts += [Fact(part=part, trouble=trouble) for part, trouble in engine.memory.troubles.items()]
    facts += [_storage(service_id, watch) for service_id, watch in engine.memory.watches.items()]
    for name, state in (await channels(engine)).items():
        trouble = f"channel {name}: {state['error']}" if state["state"] == "failing" else None
        facts.append(Fact(part=f"channel {name}", trouble=trouble))
    return facts


def _storage(service_id: str, watch: Watch) -> Fact:
    """What a service says of the store of its own measurements: its Redis, say."""
    report = watch.last.report if watch.last else None
    storage = mapping(mapping(report).get("storage"))
    failing = storage.get("state") == "degraded"
    trouble = (
        f"{service_id}: its {storage.get('mode')} storage fails, it measures from memory" if failing else None
    )
    return Fact(part=f"storage {service_id}", trouble=trouble)


async def _record(engine: Engine) -> None:
    """Write down what happened to the daemon itself, what could not be written at its time too."""
    events, engine.memory.unrecorded = engine.memory.unrecorded, []
    name = engine.new_id("mode")
    try:
        await engine.store.transact(lambda tx: tx.append(SYSTEM_TREE, name, events, 0, engine.now()))
    except AlertEngineError:
        engine.memory.unrecorded[:0] = events  # for the next look


def _note(engine: Engine, kind: SystemEventType, **data: Any) -> None:
    engine.memory.unrecorded.append(NewEvent(type=kind, data=data))


def _see_clock(engine: Engine) -> None:
    """Note each jump of the machine's clock, and when it is believed or right again."""
    gap_s = engine.clock.look().gap_s
    if abs(gap_s - engine.memory.clock_gap_s) > FOLLOW_S:
        engine.memory.clock_gap_s = gap_s
        log.warning("The machine's clock is %.0f s from the time on record.", gap_s)
        wall = rfc3339(engine.clock.wall())
        _note(engine, SystemEventType.CLOCK_JUMPED, machine=wall, ahead_s=round(gap_s, 3))


async def _tell(engine: Engine, condition: Condition) -> None:
    kind, title = MessageKind.HEALED, "emergency.ends"
    lines: tuple[Said | str, ...] = (Said("emergency.over"),)
    if condition.mode is Mode.EMERGENCY:
        kind, title = MessageKind.ALERT, "emergency.begins"
        lines = (*condition.reasons, Said("emergency.until"))
    await tell_everyone(engine, Notice(kind=kind, title=Said(title), lines=lines, mode=condition.mode))
