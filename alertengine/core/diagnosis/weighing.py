"""Signs added up for each cause, and the choice between them.

A case is the sum of its signs in points. A necessary sign is worth 4 to 5 points in
full, a supporting one up to 1, and a counter-sign takes away what another
explanation would account for. 3 points make a case; the best must lead the
second by 1 point, else the cause is not clear.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from alertengine.core.diagnosis.model import EvidenceItem

ENOUGH: Final = 3.0
MARGIN: Final = 1.0
DOUBT: Final = 1.5
"""The points of "something that no rule knows" when a confidence is shared out."""
MOST: Final = 0.97


@dataclass(frozen=True, slots=True)
class Sign:
    """Points for or against, and the measurements they come from."""

    points: float
    items: tuple[EvidenceItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What speaks for one cause."""

    cause: str
    points: float
    items: tuple[EvidenceItem, ...] = ()
    route: str | None = None
    dependency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The cases by likelihood; `clear` if the first may be named."""

    clear: bool
    ranked: tuple[Case, ...]
    confidences: tuple[float, ...] = field(default=())


def for_cause(cause: str, *signs: Sign, route: str | None = None, dependency: str | None = None) -> Case:
    """The first sign is the necessary one: without it there is no case."""
    if not signs or signs[0].points <= 0:
        return Case(cause=cause, points=0.0)
    points = sum(sign.points for sign in signs)
    speaking = sorted((sign for sign in signs[1:] if sign.points > 0), key=lambda sign: -sign.points)
    items = [item for sign in (signs[0], *speaking) for item in sign.items]
    # Counter-signs come last: what the reader sees first is what speaks for the cause.
    return Case(cause=cause, points=points, items=unique(items), route=route, dependency=dependency)


def strongest_first(*told: tuple[float, tuple[EvidenceItem, ...]]) -> tuple[EvidenceItem, ...]:
    """Of several ways in which a sign may show: what it rests on, first of all, and nothing of what does not show."""
    showing = sorted((one for one in told if one[0] > 0), key=lambda one: -one[0])
    return tuple(item for _, items in showing for item in items)


def strongest(cases: Iterable[Case], cause: str) -> Case:
    """The best of several cases for one cause, such as one for each dependency."""
    return max(cases, key=lambda case: case.points, default=Case(cause=cause, points=0.0))


def weigh(cases: Sequence[Case], completeness: float) -> Verdict:
    """Rank the cases; `completeness` (0-1) is how much of the evidence there was to look at."""
    ranked = tuple(
        sorted((case for case in cases if case.points > 0), key=lambda case: (-case.points, case.cause))
    )
    if not ranked:
        return Verdict(clear=False, ranked=())
    lead = ranked[0].points - (ranked[1].points if len(ranked) > 1 else 0.0)
    clear = ranked[0].points >= ENOUGH and lead >= MARGIN
    return Verdict(clear=clear, ranked=ranked, confidences=_confidences(ranked, completeness))


def unique(items: Iterable[EvidenceItem]) -> tuple[EvidenceItem, ...]:
    """Each measurement once, in the order of its first mention."""
    return tuple({item.id: item for item in items}.values())


def _confidences(ranked: Sequence[Case], completeness: float) -> tuple[float, ...]:
    weights = [math.exp(min(case.points, 50.0)) for case in ranked]
    total = sum(weights) + math.exp(DOUBT)
    limit = MOST - 0.2 * (1 - completeness)
    return tuple(round(limit * weight / total, 2) for weight in weights)
