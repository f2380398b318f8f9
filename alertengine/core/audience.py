"""The people of one message, chosen by a step, their quiet hours and what they can bear. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alertengine.core.escalation import EVERY_ADDRESS, EscalationStep, is_meant
from alertengine.core.model import Contact, Role
from alertengine.core.people import is_vouched, owner

BEARABLE = 3
"""Messages about an incident to one person within `BEARABLE_S`, unless something new happened."""
BEARABLE_S = 600.0
_RANKS = list(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A contact who may be sent such a message; `ways`: the name and the kind of their channel."""

    contact: Contact
    ways: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    contacts: tuple[Contact, ...] = ()
    held: Mapping[str, datetime] = field(default_factory=dict)
    """Who is left alone, and until when."""
    spared: tuple[str, ...] = ()
    """Who has had as many messages as a person can bear."""
    copies: tuple[Contact, ...] = ()
    """Where it goes for information alone."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(contact.name for contact in self.contacts))


def choose(
    reach: Sequence[Address],
    step: EscalationStep,
    quiet: Callable[[Contact], datetime | None],
    had: Mapping[str, int],
    *,
    wakes: bool,
    widens: bool = True,
) -> Audience:
    """Whom `step` tells now. `had`: messages of late, by person. `wakes`: somebody has to hear of it, quiet or not.

    `widens`: a step that names nobody who is there tells everybody, for a name that was changed must not end in
    silence. Nor must it where a tenant's key gave the name to somebody.
    """
    people: dict[str, list[Address]] = {}
    for address in reach:
        people.setdefault(owner(address.contact), []).append(address)
    meant = {k: v for k, v in people.items() if any(is_meant(a.contact, step.who) for a in v)}
    if widens and not any(is_vouched(own[0].contact) for own in meant.values()):
        meant = people
    ends = {name: quiet(addresses[0].contact) for name, addresses in meant.items()}
    free = [name for name in meant if ends[name] is None]
    if wakes and not free and meant:
        free = [max(meant, key=lambda name: _RANKS.index(meant[name][0].contact.role))]
    told, spared = [], []
    for name in free:
        left = BEARABLE - had.get(name, 0)
        if left <= 0:
            spared.append(meant[name][0].contact.name)
        told += _addresses(meant[name], step.channels)[: max(0, left)]
    held = {meant[n][0].contact.name: end for n, end in ends.items() if end is not None and n not in free}
    return Audience(contacts=tuple(told), held=held, spared=tuple(spared))


def _addresses(own: Sequence[Address], channels: Sequence[str]) -> list[Contact]:
    """One person's addresses by these channels; their first where they have none of them."""
    wanted = {name.casefold() for name in channels}
    if EVERY_ADDRESS in wanted:
        return [address.contact for address in own]
    found = [address.contact for address in own if wanted & {way.casefold() for way in address.ways}]
    return found or [own[0].contact]
