"""What providers call us with: reports on messages they took, and what people did in chats."""

from __future__ import annotations

from alertengine.errors import Unsigned
from alertengine.pipeline import receipts, taps
from alertengine.pipeline.engine import Engine
from alertengine.ports import Call, Called, Holding, Tap


async def take_call(engine: Engine, provider: str, call: Call) -> bytes | None:
    """Do what a genuine call says; answer XML where the provider waits for it. Raises `Unsigned` for any other."""
    for channel in called(engine, provider):
        found = channel.read_call(call)
        if found is not None:
            for one in found:
                if isinstance(one, Tap):
                    engine.spawn(taps.hear(engine, channel, one))  # type: ignore[arg-type]
                else:
                    await receipts.note(engine, channel.kind, one)
            return channel.meanwhile(call) if isinstance(channel, Holding) else None
    raise Unsigned


def called(engine: Engine, provider: str) -> list[Called]:
    return [c for c in engine.channels.values() if getattr(c, "provider", None) == provider]  # type: ignore[misc]
