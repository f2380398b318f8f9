"""Each provider's gate: its rate, and its pause while it fails.

A contact that brings a URL of its own (a webhook) has a gate of its own: whoever answers there is nobody else's
provider, and must not hold up other people's messages by being down.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from alertengine.core.gate import Gate
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline.engine import Engine
from alertengine.ports import Channel


def gate(engine: Engine, channel: Channel, contact: Contact) -> Gate:
    traits = channel.traits
    fresh = Gate(per_s=traits.per_s, burst=traits.burst, at=engine.clock.monotonic())
    return engine.memory.gates.setdefault(_provider(channel, contact), fresh)


def put(engine: Engine, channel: Channel, contact: Contact, gate: Gate) -> None:
    engine.memory.keep_gate(_provider(channel, contact), gate)


def _provider(channel: Channel, contact: Contact) -> str:
    """Channels that post to where the contact says are as many providers as there are hosts."""
    own = contact.address.startswith(("http://", "https://"))
    return f"{channel.name} {urlsplit(contact.address).netloc}" if own else channel.name


@contextmanager
def watched(engine: Engine, channel: Channel, contact: Contact) -> Iterator[None]:
    """How the try ends tells how the provider is: a clear refusal is an answer too, no answer is none."""
    try:
        yield
    except DeliveryError as error:
        _note(engine, channel, contact, error.fault in (Fault.RETRY, Fault.UNKNOWN))
        raise
    _note(engine, channel, contact, False)


def _note(engine: Engine, channel: Channel, contact: Contact, failed: bool) -> None:
    now = gate(engine, channel, contact)
    after = now.failed(engine.clock.monotonic()) if failed else now.answered()
    put(engine, channel, contact, after)
