"""Messages to send, and what comes back when they cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertengine.core.cost import Cost
from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import fold
from alertengine.core.language import words
from alertengine.core.letter import Letter, compose
from alertengine.core.message import Message, MessageKind
from alertengine.errors import DeliveryError
from alertengine.testing import RESTART_POOL, START, TARIRO, detected, diagnosed, make_events, make_incident
from channels.benches import Open

KEY = "msg_0123456789abcdef0123"
URL = "https://alerts.example.com/action/recover?token=" + "e" * 460
HOSTILE = 'a<b>&"c"\n\t</Say> <!channel> *_~`|[x](y) @everyone \u202e\x00 {{1}} ' + "🔥" * 900

ENDED = [
    NewEvent(
        type=EventType.RECOVERY_AUTHORIZED,
        actor=TARIRO,
        data={"execution_id": "exe_1", "action": RESTART_POOL.to_json(), "round": 1},
    ),
    NewEvent(type=EventType.RECOVERY_STARTED, data={"execution_id": "exe_1", "boot": "b"}),
    NewEvent(type=EventType.RECOVERY_SUCCEEDED, data={"execution_id": "exe_1", "detail": "done"}),
    NewEvent(type=EventType.INCIDENT_RESOLVED, data={}),
]


def letter(url: str | None = URL) -> Letter:
    return Letter(recipient="Tariro", now=START, queued_at=START, url=url, anchor="4711 CsUYapGGXX=")


def alert(url: str | None = URL) -> Message:
    return compose(MessageKind.ALERT, make_incident(), letter(url))


def hostile() -> Message:
    """Names and measurements are not ours: whatever they hold, the message arrives."""
    incident = make_events(
        detected(title=HOSTILE, service=HOSTILE[:60], reason=HOSTILE), diagnosed(summary=HOSTILE)
    )
    return compose(MessageKind.ALERT, fold(incident), letter())


def worst(code: str) -> Message:
    """All of it at once, in a language that may need more room, with every part that a message can have."""
    action = replace(RESTART_POOL, name="restart-" + "pool" * 14, description=HOSTILE[:200])
    evidence = [{"id": "e", "text": HOSTILE}]
    incident = make_events(
        detected(
            title=HOSTILE,
            service=HOSTILE[:60],
            reason=HOSTILE + "x" * 10_000,
            quota={"opened": 201, "plan": "startup", "included": 200},
        ),
        diagnosed(action, cause=HOSTILE, source=HOSTILE, evidence=evidence),
    )
    cost = Cost(count=123_456, noun=HOSTILE[:60], money_per_h=9e11, currency="USD")
    told = replace(letter(), words=words(code), cost=cost, reference="lnk_" + "0" * 20, code="4821")
    return compose(MessageKind.ALERT, fold(incident), told)


def recovered() -> Message:
    return compose(MessageKind.RECOVERED, make_incident(*ENDED), letter(None))


async def failure(bench: Open, message: Message | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await bench.channel.send(bench.contact, message or alert(), KEY)
    return caught.value
