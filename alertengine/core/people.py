"""Who is who: a person counts once, whatever their addresses. Pure."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from alertengine.core.given import Given
from alertengine.core.model import Actor, Contact, Role

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_PERSONAL = re.compile(r"\+?\d{5,15}|[^@\s]+@[^@\s]+")
"""A telephone, a chat of one's own, a mailbox: whoever has it is one person. A channel or a URL may be read by many."""


def name_key(name: str) -> str:
    """A name as it counts: spelt with other letters for the same signs, in capitals or with more spaces, it is one."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def mailbox_key(email: str) -> str:
    """A mailbox as it counts. Letters beyond ASCII stay: who has one that looks like another's has another one."""
    return email.translate(_LOWER)


def is_vouched(contact: Contact) -> bool:
    """The operator says who this is: they gave the contact, or said that they may decide. With a tenant's key
    anybody's name can be given to anybody."""
    return contact.given_by is Given.OPERATOR or contact.role is not Role.VIEWER


def person_key(name: str, *, vouched: bool) -> str:
    """Who is told. Whom a tenant's key gave is nobody whom the operator gave, whatever they are called."""
    return name_key(name) if vouched else f"{name_key(name)}\n"


def owner(contact: Contact) -> str:
    """Whose address this is."""
    return person_key(contact.name, vouched=is_vouched(contact))


def may_decide(contact: Contact) -> bool:
    return contact.verified_at is not None and contact.role is not Role.VIEWER


@dataclass(frozen=True, slots=True)
class Crowd:
    """The contacts of a tenant as they are now."""

    contacts: tuple[Contact, ...]

    def of(self, actor: Actor) -> frozenset[str]:
        """What names the person behind an actor: their names and their own addresses, all that hangs together.

        An address that nobody proved to be theirs says nothing of who they are, nor does what a tenant's key gave.
        """
        proven = [c for c in self.contacts if c.verified_at is not None and is_vouched(c)]
        known = {f"name {name_key(actor.name)}", f"id {actor.id}"}
        while True:
            more = known.union(*(_marks(c) for c in proven if known & _marks(c)))
            if more == known:
                return frozenset(known)
            known = more

    def same(self, one: Actor, other: Actor) -> bool:
        return bool(self.of(one) & self.of(other))

    def counted(self, approvals: Iterable[Actor]) -> tuple[Actor, ...]:
        """Of those who approved, each person once, and only who may still decide."""
        found: list[Actor] = []
        for actor in approvals:
            if self._still(actor) and not any(self.same(actor, one) for one in found):
                found.append(actor)
        return tuple(found)

    def _still(self, actor: Actor) -> bool:
        if actor.kind == "operator":
            return True
        return any(c.id == actor.id and may_decide(c) for c in self.contacts)

    @property
    def approvers(self) -> int:
        """How many different people may decide."""
        return len(self.counted(c.actor for c in self.contacts if not c.shared))


def _marks(contact: Contact) -> set[str]:
    marks = {f"name {name_key(contact.name)}", f"id {contact.id}"}
    if _PERSONAL.fullmatch(contact.address):
        marks.add(f"at {contact.address.casefold().lstrip('+')}")
    return marks
