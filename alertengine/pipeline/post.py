"""Let the ledger's heads leave the machine: who keeps them can prove later what was rewritten."""

from __future__ import annotations

import logging
from typing import cast

from alertengine.core.model import rfc3339
from alertengine.errors import DeliveryError
from alertengine.pipeline.engine import Engine
from alertengine.ports import Posting
from alertengine.store.checkpoints import checkpoints

log = logging.getLogger(__name__)

KIND = "ledger.checkpoints"


def posting(engine: Engine) -> list[Posting]:
    """The channels that take checkpoints."""
    channels = engine.channels.values()
    return [cast(Posting, c) for c in channels if getattr(c, "checkpoint_every_s", None) is not None]


class Poster:
    """Posts every log's newest checkpoint to one channel, when there is news. Run it as often as it may post."""

    def __init__(self, engine: Engine, channel: Posting) -> None:
        self._engine = engine
        self._channel = channel
        self._posted: list[bytes] = []

    async def run(self) -> bool:
        """Whether something was posted. What could not be is posted the next time, with what came since."""
        engine, channel = self._engine, self._channel
        notes = await engine.store.fetch(checkpoints())
        if notes == self._posted:
            return False
        text = b"".join(notes).decode()
        body = {"type": KIND, "timestamp": rfc3339(engine.now()), "checkpoints": text}
        part = f"checkpoints to {channel.name}"
        try:
            await channel.post(body, engine.new_id("chk"))
        except DeliveryError as error:
            log.warning("the checkpoints could not be posted to %s: %s", channel.name, error)
            engine.memory.troubles[part] = f"the ledger's checkpoints do not reach {channel.name}: {error}"
            return False
        engine.memory.troubles[part] = None
        self._posted = notes
        return True
