"""Each channel's gate: its rate, and its pause while the provider fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alertengine.core.gate import Gate
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline.engine import Engine
from alertengine.ports import Channel


def gate(engine: Engine, channel: Channel) -> Gate:
    traits = channel.traits
    fresh = Gate(per_s=traits.per_s, burst=traits.burst, at=engine.clock.monotonic())
    return engine.memory.gates.setdefault(channel.name, fresh)


@contextmanager
def watched(engine: Engine, channel: Channel) -> Iterator[None]:
    """How the try ends tells how the provider is: a clear refusal is an answer too, no answer is none."""
    try:
        yield
    except DeliveryError as error:
        _note(engine, channel, error.fault in (Fault.RETRY, Fault.UNKNOWN))
        raise
    _note(engine, channel, False)


def _note(engine: Engine, channel: Channel, failed: bool) -> None:
    now = gate(engine, channel)
    engine.memory.gates[channel.name] = now.failed(engine.clock.monotonic()) if failed else now.answered()
