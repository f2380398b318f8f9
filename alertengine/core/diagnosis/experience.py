"""What happened in similar incidents before: which action was taken, and did it help."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from alertengine.core.diagnosis.model import UNCLEAR
from alertengine.core.diagnosis.redaction import clean
from alertengine.core.diagnosis.wording import duration

ENOUGH_ALIKE: Final = 0.5
CONSIDERED: Final = 200
"""Newest incidents looked at; older ones tell little about today's service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of an action. `recovered_after_s` is None where health did not come back after it."""

    action: str
    recovered_after_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastIncident:
    """An incident that is over, newest first where there are several."""

    service: str
    cause: str
    route: str | None = None
    dependency: str | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How an action did in similar incidents."""

    action: str
    helped: int
    tried: int
    median_s: float | None

    def __str__(self) -> str:
        how_long = "" if self.median_s is None else f", median {duration(1000 * self.median_s)}"
        times = "time" if self.tried == 1 else "times"
        return f"{clean(self.action, 60)}: helped {self.helped} of {self.tried} {times}{how_long}"


def likeness(now: PastIncident, past: PastIncident) -> float:
    """0 to 1. The same service and cause are half of it; the same place is the other half."""
    if now.service != past.service or now.cause != past.cause or now.cause == UNCLEAR:
        return 0.0
    places = [(now.route, past.route), (now.dependency, past.dependency)]
    told = [(mine, theirs) for mine, theirs in places if mine or theirs]
    same = sum(mine == theirs for mine, theirs in told)
    return 0.5 + 0.5 * (same / len(told) if told else 1.0)


def records(now: PastIncident, past: Iterable[PastIncident]) -> tuple[Record, ...]:
    """Each action that was tried in similar incidents, the most helpful first."""
    alike = [one for one in list(past)[:CONSIDERED] if likeness(now, one) >= ENOUGH_ALIKE]
    attempts: dict[str, list[float | None]] = {}
    for incident in alike:
        for attempt in incident.attempts:
            attempts.setdefault(attempt.action, []).append(attempt.recovered_after_s)
    found = [_record(action, outcomes) for action, outcomes in attempts.items()]
    return tuple(sorted(found, key=lambda one: (-_trust(one), one.action)))


def _record(action: str, outcomes: Sequence[float | None]) -> Record:
    times = [outcome for outcome in outcomes if outcome is not None]
    return Record(
        action=action, helped=len(times), tried=len(outcomes), median_s=median(times) if times else None
    )


def _trust(record: Record) -> float:
    """Laplace's rule: one success in one trial is less than nine in ten."""
    return (record.helped + 1) / (record.tried + 2)
