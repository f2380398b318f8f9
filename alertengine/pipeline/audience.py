"""Whom a message goes to: read in the transaction that queues it, decided by the core."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alertengine.core.audience import BEARABLE_S, Address, Audience, choose
from alertengine.core.decide import ack_is_over
from alertengine.core.escalation import EVERY_ADDRESS, EscalationStep, Turn
from alertengine.core.incident import Incident
from alertengine.core.message import ASKS, MessageKind
from alertengine.core.model import Contact, parse_time
from alertengine.core.people import name_key, owner
from alertengine.core.quiet import quiet_until
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents, tellings
from alertengine.store.base import Transaction

REPEATS = frozenset({MessageKind.ESCALATION, MessageKind.REMINDER})
"""Kinds that bring nothing new, of which a person can bear only so many."""
HEARD_ANYWAY = MessageKind.HEALED
"""Nobody was told that it failed, so somebody hears that it did and is over."""


def audience(
    engine: Engine, tx: Transaction, incident: Incident, kind: MessageKind, turn: Turn | None = None
) -> Audience:
    """The step's people where a decision is first asked for; after that those who were told, and nobody else.

    Copies go wherever they are wanted, but for what is kept quiet.
    """
    now = tx.now(engine.now())
    told = tx.fetch(tellings.told(incident.tenant_id, incident.id))
    step = _step(engine, incident, kind, told, turn, now)
    copies = () if _is_kept_quiet(incident, kind, told) else _copies(engine, tx, incident, kind)
    if step is None:
        return Audience(copies=copies)
    may_wait = kind in REPEATS or (kind in ASKS and not told)

    def quiet(contact: Contact) -> datetime | None:
        return quiet_until(contact, engine.policy.quiet, incident.severity, now) if may_wait else None

    # Trouble that keeps moving is told of like what brings nothing new.
    bearable = kind in REPEATS or (kind is MessageKind.DIAGNOSIS and incident.changes > 0)
    had = tx.fetch(tellings.had(incident, _since(tx, incident, now))) if bearable else {}
    chosen = choose(
        _reach(engine, tx, incident, kind),
        step,
        quiet,
        had,
        wakes=incident.severity == "critical" and (kind is not MessageKind.REMINDER or incident.unheard),
        widens=turn is not None or not told,
    )
    return replace(chosen, copies=copies)


def authorized_alone(kind: MessageKind, incident: Incident) -> bool:
    """One person authorized what needs several: everybody is told, be it in the night."""
    run = incident.execution
    return kind is MessageKind.AUTHORIZED and run is not None and run.alone is not None


def _since(tx: Transaction, incident: Incident, now: datetime) -> int:
    """The event from which on messages weigh on a person: the last news, or the last before the time they last."""
    begin = now - timedelta(seconds=BEARABLE_S)
    events = tx.fetch(incidents.events(incident.tenant_id, incident.id))
    return max([incident.news_seq, *(event.seq for event in events if event.at <= begin)])


def woken(engine: Engine, tx: Transaction, incident: Incident) -> tuple[Audience, tuple[str, ...]]:
    """The people whose quiet hours are over, and the names of all that were waited for."""
    now = tx.now(engine.now())
    names = tuple(name for name, until in incident.held.items() if parse_time(until) <= now)
    waited = {name_key(name) for name in names}
    reach = [a for a in _reach(engine, tx, incident, MessageKind.ALERT) if name_key(a.contact.name) in waited]
    hours = engine.policy.quiet
    had = tx.fetch(tellings.had(incident, _since(tx, incident, now)))
    found = choose(
        reach,
        EscalationStep(),
        lambda contact: quiet_until(contact, hours, incident.severity, now),
        had,
        wakes=False,
    )
    return found, names


def takes(engine: Engine, contact: Contact, kind: MessageKind) -> bool:
    """Somebody is told there. Not at an address that was not verified, nor where copies go; and nobody is telephoned
    to hear that all is well."""
    return not informs(engine, contact) and _carries(engine, contact, kind)


def informs(engine: Engine, contact: Contact) -> bool:
    """What goes there is a copy."""
    channel = engine.channel_of(contact)
    return channel is not None and channel.traits.informs


def _carries(engine: Engine, contact: Contact, kind: MessageKind) -> bool:
    channel = engine.channel_of(contact)
    return contact.verified_at is not None and (channel is None or kind in channel.traits.kinds)


def _copies(engine: Engine, tx: Transaction, incident: Incident, kind: MessageKind) -> tuple[Contact, ...]:
    found = tx.fetch(directory.contacts(incident.tenant_id))
    return tuple(c for c in found if informs(engine, c) and _carries(engine, c, kind))


def _is_kept_quiet(incident: Incident, kind: MessageKind, told: list[str]) -> bool:
    return kind is HEARD_ANYWAY and incident.silence_id is not None and not told


def other_addresses(engine: Engine, tx: Transaction, contact: Contact, kind: MessageKind) -> list[Contact]:
    """Where else this person can be told: those after this address, then those before it."""
    who, own = owner(contact), tx.fetch(directory.contacts(contact.tenant_id))
    place = next((n for n, other in enumerate(own) if other.id == contact.id), -1)
    around = own[place + 1 :] + own[: max(0, place)]
    return [other for other in around if owner(other) == who and takes(engine, other, kind)]


def _reach(engine: Engine, tx: Transaction, incident: Incident, kind: MessageKind) -> list[Address]:
    found = tx.fetch(directory.contacts(incident.tenant_id))
    return [Address(contact=c, ways=_ways(engine, c)) for c in found if takes(engine, c, kind)]


def _ways(engine: Engine, contact: Contact) -> frozenset[str]:
    channel = engine.channel_of(contact)
    return frozenset({contact.channel} | ({channel.name, channel.kind} if channel else set()))


def _step(
    engine: Engine, incident: Incident, kind: MessageKind, told: list[str], turn: Turn | None, now: datetime
) -> EscalationStep | None:
    steps = engine.policy.steps_for(incident.tenant_id, incident.service)
    if turn is not None:
        return steps[turn.step]
    if authorized_alone(kind, incident):
        return EscalationStep()
    if kind is MessageKind.REMINDER and incident.unheard:
        return EscalationStep(channels=(EVERY_ADDRESS,))
    taken = incident.acknowledged_by
    if kind is MessageKind.REMINDER and taken is not None and not ack_is_over(incident, engine.policy, now):
        return EscalationStep(who=(taken.name,))
    if told:
        return EscalationStep(who=tuple(told))
    if _is_kept_quiet(incident, kind, told):
        return None
    return steps[0] if kind in ASKS or kind in (MessageKind.UNKNOWN, HEARD_ANYWAY) else None
