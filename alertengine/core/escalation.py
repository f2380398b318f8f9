"""Who is told, by which channel, and after how long without an answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise

from alertengine.core.model import Contact
from alertengine.core.people import name_key

EVERYONE = "everyone"
EVERY_ADDRESS = "all"
"""Stands in `channels` for each address that a person has, not only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """`who`: names of people, roles, or everyone. `channels`: names or kinds; empty for a person's first address."""

    after_s: float = 0.0
    """Counted from the first message, as long as nobody acknowledged, approved or rejected."""
    who: tuple[str, ...] = (EVERYONE,)
    channels: tuple[str, ...] = ()
    repeats: int = 0
    repeat_every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One time at which a step is due: `repeat` 0 is its first."""

    number: int
    """Counts all turns of the ladder, from 0."""
    step: int
    repeat: int
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Steps of their own for the services whose names match, of the tenant if one is named."""

    steps: tuple[EscalationStep, ...]
    service: str = "*"
    tenant: str | None = None

    def covers(self, tenant: str, service: str) -> bool:
        return self.tenant in (None, tenant) and fnmatchcase(service.casefold(), self.service.casefold())


def usual(escalate_after_s: float) -> tuple[EscalationStep, ...]:
    """Everybody at their first address; unanswered, everybody again, at every address."""
    return (EscalationStep(), EscalationStep(after_s=escalate_after_s, channels=(EVERY_ADDRESS,)))


def ladder(steps: Sequence[EscalationStep]) -> tuple[Turn, ...]:
    """Every turn of `steps`, in the order in which they are due."""
    ordered = sorted(_turns(steps), key=lambda turn: (turn[0], turn[1]))
    return tuple(
        Turn(number=number, step=step, repeat=repeat, after_s=after_s)
        for number, (after_s, step, repeat) in enumerate(ordered)
    )


def _turns(steps: Sequence[EscalationStep]) -> Iterator[tuple[float, int, int]]:
    for number, step in enumerate(steps):
        for repeat in range(step.repeats + 1):
            yield step.after_s + repeat * step.repeat_every_s, number, repeat


def wait_s(turns: Sequence[Turn], number: int) -> float:
    """How long turn `number` comes after the one before it."""
    return turns[number].after_s - turns[number - 1].after_s


def problems(steps: Sequence[EscalationStep], deadline_s: float) -> Iterator[str]:
    """What is wrong with steps as they were configured."""
    if steps and steps[0].after_s != 0:
        yield "the first step is the first message: after_s = 0"
    for before, after in pairwise(steps):
        if after.after_s <= before.after_s:
            yield f"after_s = {after.after_s:g} must be more than the {before.after_s:g} of the step before it"
    for step in steps:
        if bool(step.repeats) != bool(step.repeat_every_s):
            yield "repeats and repeat_every_s belong together"
    last = max((turn.after_s for turn in ladder(steps)), default=0.0)
    if last >= deadline_s:
        yield (
            f"a step after {last:g} s would never come: the decision is over after {deadline_s:g} s"
            " (policy.decision_timeout_s)"
        )


def is_meant(contact: Contact, who: Sequence[str]) -> bool:
    """`who` has everyone, the contact's role, or their name."""
    meant = {name_key(name) for name in who}
    return bool(meant & {EVERYONE, str(contact.role), name_key(contact.name)})
