"""The ledger's heads leave the machine, and hold the log to them later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alertengine.core.letter import Letter, compose
from alertengine.core.message import MessageKind
from alertengine.core.mode import Condition, Fault, Mode
from alertengine.errors import DeliveryError
from alertengine.ledger.note import open_checkpoint, split_all
from alertengine.ledger.verify import verify_file
from alertengine.pipeline.mode import look
from alertengine.pipeline.post import Poster
from alertengine.store.sqlite import SqliteStore
from alertengine.testing import START, make_incident
from world import World


@dataclass
class Receiver:
    name: str = "auditor"
    checkpoint_every_s: float = 60.0
    failing: bool = False
    taken: list[Mapping[str, Any]] = field(default_factory=list)

    async def post(self, body: Mapping[str, Any], idempotency_key: str) -> None:
        if self.failing:
            raise DeliveryError("HTTP 500")
        self.taken.append(json.loads(json.dumps(body)))


async def test_checkpoints_are_posted_when_there_is_news(world: World, tmp_path: Path) -> None:
    receiver = Receiver()
    poster = Poster(world.engine, receiver)
    assert await poster.run()
    assert not await poster.run()
    await world.fail()
    assert await poster.run()
    store = world.engine.store
    assert isinstance(store, SqliteStore)
    posted = receiver.taken[-1]
    assert posted["type"] == "ledger.checkpoints"
    heads = [open_checkpoint(note, [store._vkey]) for note in split_all(posted["checkpoints"].encode())]
    assert len(heads) == 2
    await world.heal()
    assert verify_file(store.path, [store._vkey], heads).problems == ()


async def test_checkpoints_that_do_not_arrive_are_told_and_posted_later(world: World) -> None:
    receiver = Receiver(failing=True)
    poster = Poster(world.engine, receiver)
    assert not await poster.run()
    after = await look(world.engine)
    assert (after.mode, after.reasons) == (
        "DEGRADED",
        ["the ledger's checkpoints do not reach auditor: HTTP 500"],
    )
    receiver.failing = False
    assert await poster.run()
    world.clock.advance(60)
    await look(world.engine)
    world.clock.advance(60)
    assert (await look(world.engine)).mode == "NORMAL"


def test_a_message_says_in_one_line_that_alertengine_itself_is_not_well() -> None:
    fault = Fault(trouble=f"channel telegram: {'refused ' * 30}", costs=Mode.DEGRADED)
    letter = Letter(recipient="Tariro", now=START, queued_at=START, condition=Condition({"channel": fault}))
    message = compose(MessageKind.ALERT, make_incident(), letter)
    (line,) = [line for line in message.body if "AlertEngine itself" in line]
    assert line.startswith("AlertEngine itself is DEGRADED: channel telegram: refused")
    assert len(line) < 130
    plain = compose(
        MessageKind.ALERT, make_incident(), Letter(recipient="Tariro", now=START, queued_at=START)
    )
    assert "AlertEngine itself" not in plain.text
