"""In which mode the daemon works: by facts, entered at once, left only when the facts have been good for a while."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

LEAVE_AFTER_S = 10.0
"""A part counts as failing until it was well this long without a break: what flickers keeps its mode."""


class Mode(StrEnum):
    NORMAL = "NORMAL"
    DEGRADED = "DEGRADED"
    """Something is missing that there is a way around."""
    EMERGENCY = "EMERGENCY"
    """The store cannot be written: nothing is executed, since nothing could be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """How one part is now. `trouble`: why it does not work, None where it does. `costs`: the mode that means."""

    part: str
    trouble: str | None
    costs: Mode = Mode.DEGRADED


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    trouble: str
    costs: Mode
    well_since: float | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What is failing, by part."""

    faults: Mapping[str, Fault] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        costs = {fault.costs for fault in self.faults.values()}
        return next((mode for mode in (Mode.EMERGENCY, Mode.DEGRADED) if mode in costs), Mode.NORMAL)

    @property
    def reasons(self) -> list[str]:
        """Why it is not NORMAL, the gravest first."""
        gravest = sorted(self.faults.values(), key=lambda fault: fault.costs is not Mode.EMERGENCY)
        return [fault.trouble for fault in gravest]

    def see(self, facts: Iterable[Fact], now: float) -> Condition:
        """The condition after these facts, seen at `now` (monotonic). A part that is gone is no fault any more."""
        seen = ((fact.part, _next(self.faults.get(fact.part), fact, now)) for fact in facts)
        return Condition({part: fault for part, fault in seen if fault is not None})


NORMAL = Condition()


def _next(before: Fault | None, fact: Fact, now: float) -> Fault | None:
    if fact.trouble is not None:
        return Fault(trouble=fact.trouble, costs=fact.costs)
    if before is None:
        return None
    since = now if before.well_since is None else before.well_since
    return None if now - since >= LEAVE_AFTER_S else replace(before, well_since=since)
