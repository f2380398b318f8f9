"""When is a service in trouble, and when is it over? Pure: polls in, assessment out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.language import ENGLISH, Words
from alertengine.core.model import rfc3339
from alertengine.core.policy import (
    FAILED_POLLS_FOR_OUTAGE,
    FOREIGN_MIN_SAMPLES,
    HEALTHY_POLLS_TO_RECOVER,
    Policy,
)
from alertengine.core.snapshot import GRAVEST_FIRST, SYMPTOMS, Health, Snapshot, graver
from alertengine.core.trouble import named

TREND_LENGTH = 180
"""Snapshots kept for the small chart: 15 minutes at a 5 s pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the last polls of one service said, newest last."""

    recent: tuple[Snapshot, ...] = ()
    bad_polls: int = 0
    """Unhealthy polls in a row."""
    failed_polls: int = 0
    """Unreadable polls in a row."""
    well_since: datetime | None = None
    """The first of the healthy polls in a row that the last one ends."""
    last_report: Mapping[str, Any] | None = None
    """What the service last said of itself, though it may not answer any more."""

    @property
    def last(self) -> Snapshot | None:
        return self.recent[-1] if self.recent else None

    def healthy_since(self, after: datetime) -> bool:
        """Enough fresh healthy reports in a row, all of them asked for after `after`."""
        fresh = [s for s in self.recent[-HEALTHY_POLLS_TO_RECOVER:] if s.at > after]
        return len(fresh) == HEALTHY_POLLS_TO_RECOVER and all(s.healthy for s in fresh)

    @property
    def is_well(self) -> bool:
        """Healthy reports as many as a recovery takes; where nothing was seen yet, it is not known to be well."""
        fresh = self.recent[-HEALTHY_POLLS_TO_RECOVER:]
        return len(fresh) == HEALTHY_POLLS_TO_RECOVER and all(s.healthy for s in fresh)

    def see(self, snapshot: Snapshot) -> Watch:
        # Only the newest snapshot keeps its whole report: the others are a line in a chart.
        past = tuple(replace(s, report=None) if s.report else s for s in self.recent[1 - TREND_LENGTH :])
        return Watch(
            recent=(*past, snapshot),
            bad_polls=0 if snapshot.healthy else self.bad_polls + 1,
            well_since=(self.well_since or snapshot.at) if snapshot.healthy else None,
            failed_polls=self.failed_polls + 1 if snapshot.health is Health.UNREACHABLE else 0,
            last_report=snapshot.report or self.last_report,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A reason to open an incident."""

    severity: str
    title: str
    reason: str
    kind: str
    """outage or degradation"""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """The title and the reason once more, in parts that can be said in any language."""
    again: Mapping[str, Any] | None = None
    """It failed shortly before: how often within an hour, and in which incident."""

    def named(self, service: str, words: Words) -> str:
        """The title in this language."""
        return named(self.figures, service, words) or self.title

    def to_json(self, snapshot: Snapshot) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "title": self.title,
            "reason": self.reason,
            "kind": self.kind,
            "figures": dict(self.figures),
            "since": snapshot.since or rfc3339(snapshot.at),
            "snapshot": snapshot.to_json(),
            **({"again": self.again} if self.again else {}),
        }


def assess(watch: Watch, service: str, policy: Policy, *, cooling: bool = False) -> Trouble | None:
    """The trouble that the watch's last snapshot shows, or None. `cooling`: shortly after a resolution."""
    snapshot = watch.last
    if snapshot is None or snapshot.healthy:
        return None
    if snapshot.health is Health.UNREACHABLE:
        return _outage(watch, service, snapshot)
    return _degradation(watch, service, snapshot, policy, cooling)


def _outage(watch: Watch, service: str, snapshot: Snapshot) -> Trouble | None:
    if watch.failed_polls < FAILED_POLLS_FOR_OUTAGE:
        return None
    answers = snapshot.error is not None and snapshot.error.kind in ("wrong_shape", "not_json")
    what = "answers, but not with a health report" if answers else "cannot be reached"
    return Trouble(
        severity="critical",
        title=f"{service} {what}",
        reason=f"{watch.failed_polls} polls in a row failed: {snapshot.headline}",
        kind="outage",
        figures={"symptom": "unreadable" if answers else "outage", "polls": watch.failed_polls},
    )


def _degradation(
    watch: Watch, service: str, snapshot: Snapshot, policy: Policy, cooling: bool
) -> Trouble | None:
    if snapshot.score is not None and snapshot.score > policy.min_score_to_alert:
        return None
    if not snapshot.judged and (snapshot.sample_size or 0) < FOREIGN_MIN_SAMPLES:
        return None
    needed = policy.confirmations + (1 if cooling else 0) + (0 if snapshot.judged else 1)
    if watch.bad_polls < needed:
        return None
    return _named(service, snapshot)


def _named(service: str, snapshot: Snapshot) -> Trouble:
    symptom = snapshot.symptom if snapshot.symptom in SYMPTOMS else "some"
    figures = {"symptom": symptom, "route": snapshot.route, "value": snapshot.value, "usual": snapshot.usual}
    where = f"{service}: {snapshot.route}" if snapshot.route else service
    score = "unknown" if snapshot.score is None else f"{snapshot.score:.0f} of 100"
    return Trouble(
        severity="critical",
        title=ENGLISH(f"trouble.{symptom}", where=where),
        reason=f"{snapshot.headline} (health score {score})",
        kind="degradation",
        figures=figures,
    )


SETTLED_S = 10.0
"""What shows within so long of the beginning belongs to it."""
BETWEEN_S = 30.0
MOST_CHANGES = 10
"""Trouble that moves about is told of now and then, not each time."""


def changed(incident: Incident, watch: Watch, now: datetime) -> Trouble | None:
    """What is wrong with the service now, where that is graver than what its incident says, or has taken its place."""
    if (
        not incident.open
        or incident.is_test
        or incident.changes >= MOST_CHANGES
        or not _settled(incident, now)
    ):
        return None
    found = _steady(watch, incident.service)
    if found is None:
        return None
    before, after = _what(incident.detected.get("figures") or {}), _what(found.figures)
    if before == after or (before[0] == after[0] and None in (before[1], after[1])):
        return None
    # What is not told in figures cannot be compared.
    gone = before[0] in GRAVEST_FIRST and not _stands(watch, before)
    return found if gone or graver(after[0], before[0]) else None


def _settled(incident: Incident, now: datetime) -> bool:
    if incident.changed_at is not None:
        return (now - incident.changed_at).total_seconds() >= BETWEEN_S
    return (now - incident.opened_at).total_seconds() >= SETTLED_S


def _steady(watch: Watch, service: str) -> Trouble | None:
    """The trouble that the last two polls agree on."""
    if len(watch.recent) < 2 or watch.recent[-1].healthy:
        return None
    before, last = watch.recent[-2:]
    if last.health is Health.UNREACHABLE:
        return _outage(watch, service, last)
    if (before.symptom, before.route) != (last.symptom, last.route) or last.symptom not in SYMPTOMS:
        return None
    return _named(service, last)


def _what(figures: Mapping[str, Any]) -> tuple[str, str | None]:
    return str(figures.get("symptom")), figures.get("route")


def _stands(watch: Watch, what: tuple[str, str | None]) -> bool:
    """The service still says so."""
    alerts = (watch.last.report or {}).get("alerts") if watch.last else None
    rows = [row for row in alerts if isinstance(row, Mapping)] if isinstance(alerts, list) else []
    return any((row.get("type"), row.get("route")) == what for row in rows)
