"""How runs of a recovery have ended before: counted from the events of past incidents, told in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from alertengine.core.diagnosis.model import UNCLEAR
from alertengine.core.diagnosis.reading import mapping
from alertengine.core.events import Event, EventType
from alertengine.core.language import ENGLISH, Words
from alertengine.core.model import parse_time, rfc3339

HELPED = "helped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One earlier run. `result`: helped, did not help, failed, unknown; `took_s` from its approval to that."""

    at: datetime
    cause: str
    result: str
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """How an action did on this service. `median_s`: from the approval to good health, where it helped."""

    action: str
    tried: int
    helped: int
    median_s: float | None
    last_at: datetime
    last_result: str
    same_cause: bool
    """Counted are the runs for today's cause; False where there were runs for other causes only."""

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "tried": self.tried,
            "helped": self.helped,
            "median_s": self.median_s,
            "last_at": rfc3339(self.last_at),
            "last_result": self.last_result,
            "same_cause": self.same_cause,
            "text": str(self),
        }

    def __str__(self) -> str:
        """Helped 4 of 5 times. Median 40 s."""
        return self.by(ENGLISH)

    def by(self, words: Words) -> str:
        key = "experience.helped" if self.same_cause else "experience.elsewhere"
        helped = words.count(key, self.tried, helped=self.helped)
        if self.median_s is None:
            return helped
        return f"{helped} {words('experience.median', span=words.milliseconds(1000 * self.median_s))}"


def experience(events: Iterable[Event], action: str, cause: str) -> Experience | None:
    """What the service's past incidents tell about `action` now that `cause` is likely; None where it never ran."""
    runs = past_runs(events, action)
    alike = [run for run in runs if run.cause == cause and cause != UNCLEAR]
    counted = alike or runs
    if not counted:
        return None
    times = [run.took_s for run in counted if run.result == HELPED]
    return Experience(
        action=action,
        tried=len(counted),
        helped=len(times),
        median_s=round(median(times), 1) if times else None,
        last_at=counted[-1].at,
        last_result=counted[-1].result,
        same_cause=bool(alike),
    )


def past_runs(events: Iterable[Event], action: str) -> Sequence[PastRun]:
    """The finished runs of `action` in `events` of any number of incidents, each in order; newest last."""
    causes: dict[str, str] = {}
    began: dict[str, Event] = {}
    runs = []
    for event in events:
        incident = event.incident_id
        if event.type is EventType.DIAGNOSIS_COMPLETED:
            causes[incident] = str(event.data.get("cause", UNCLEAR))
        elif event.type is EventType.RECOVERY_AUTHORIZED:
            began[incident] = event
        elif event.type in _RESULTS and incident in began:
            start = began.pop(incident)
            if mapping(start.data.get("action")).get("name") == action:
                runs.append(_run(start, event, causes.get(incident, UNCLEAR)))
    return sorted(runs, key=lambda run: run.at)


def _run(start: Event, end: Event, cause: str) -> PastRun:
    took_s = (end.at - start.at).total_seconds()
    return PastRun(at=start.at, cause=cause, result=_RESULTS[end.type], took_s=took_s)


def told(known: Mapping[str, Any], words: Words) -> str:
    """The same from the record of a diagnosis; an older daemon's in its own words."""
    try:
        fields = {
            name: known[name]
            for name in ("action", "tried", "helped", "median_s", "last_result", "same_cause")
        }
        return Experience(**fields, last_at=parse_time(known["last_at"])).by(words)
    except (KeyError, ValueError, TypeError):
        return str(known.get("text", ""))


def tell(known: Experience | None, action: str, words: Words) -> str:
    """The same for a page, which has room for the last run."""
    if known is None:
        return words("experience.none", action=action)
    key = f"result.{known.last_result.replace(' ', '_')}"
    last = words("experience.last", date=f"{known.last_at:%Y-%m-%d}", result=words(key))
    return f"{words.count('page.ran_before', known.tried)} {known.by(words)} {last}"


_RESULTS: Mapping[str, str] = {
    EventType.HEALTH_VERIFIED: HELPED,
    EventType.HEALTH_NOT_RECOVERED: "did not help",
    EventType.RECOVERY_FAILED: "failed",
    EventType.RECOVERY_OUTCOME_UNKNOWN: "unknown",
}
