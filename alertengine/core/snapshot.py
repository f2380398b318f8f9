"""What one poll said about a service, in our words, whichever SDK answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from alertengine.core.diagnosis.harmless import unlinked
from alertengine.core.diagnosis.model import FetchError
from alertengine.core.diagnosis.reading import mapping, number
from alertengine.core.diagnosis.redaction import clean
from alertengine.core.model import parse_time, rfc3339
from alertengine.core.said import Said


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNREACHABLE = "unreachable"
    """The health URL could not be read: refused, timed out, answered something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One poll. `score` is 0-100, rates are 0-1, times are milliseconds; None where the report has none."""

    at: datetime
    health: Health
    score: float | None = None
    p95_ms: float | None = None
    error_rate: float | None = None
    sample_size: int | None = None
    headline: str = ""
    """The worst alert in one sentence, or what went wrong with the poll."""
    symptom: str | None = None
    """The worst alert's type, such as error_anomaly."""
    route: str | None = None
    value: float | None = None
    usual: float | None = None
    """The worst alert's figure, now and usually: a share, milliseconds, or requests a second."""
    since: str | None = None
    error: FetchError | None = None
    report: Mapping[str, Any] | None = None
    asked: bool = False
    """With evidence."""
    judged: bool = True
    """The SDK judged statistically; a foreign report needs more evidence before it is believed."""

    @property
    def healthy(self) -> bool:
        return self.health in (Health.OK, Health.WARNING)

    def to_json(self) -> dict[str, Any]:
        """The facts without the report, for an event or a page."""
        return {
            "at": rfc3339(self.at),
            "health": str(self.health),
            "score": self.score,
            "p95_ms": self.p95_ms,
            "error_rate": self.error_rate,
            "sample_size": self.sample_size,
            "headline": self.headline,
            "route": self.route,
            "since": self.since,
            "error": asdict(self.error) if self.error else None,
        }


LASTS_AT_MOST = timedelta(days=366)
SYMPTOMS = ("error_anomaly", "stalled_requests", "latency_spike", "traffic_drop", "client_error_anomaly")
"""Types of alerts, the gravest for the people outside first."""
GRAVEST_FIRST = ("outage", "unreadable", *SYMPTOMS)

_STATES = {
    "ok": Health.OK,
    "healthy": Health.OK,
    "warning": Health.WARNING,
    "degraded": Health.WARNING,
    "critical": Health.CRITICAL,
}


def text(value: Any, limit: int = 200) -> str | None:
    """A JSON string without control characters, cut to `limit`; None for everything else."""
    if not isinstance(value, str):
        return None
    return "".join(c for c in value if c.isprintable())[:limit]


def unreachable(at: datetime, error: FetchError) -> Snapshot:
    headline = unread(error.kind, error.detail, error.status).english
    return Snapshot(at=at, health=Health.UNREACHABLE, headline=headline, error=error)


def unread(kind: str, detail: str, status: int | None) -> Said:
    """Why a health address could not be read."""
    return Said(f"unreachable.{kind}", {"detail": detail or Said("unreachable.plain"), "status": status})


def read_report(at: datetime, report: Any) -> Snapshot:
    """A health report as a snapshot; a JSON of another shape is a service that cannot be read."""
    status = report.get("status") if isinstance(report, Mapping) else None
    if not isinstance(status, str) or status not in _STATES:
        return unreachable(at, FetchError(kind="wrong_shape", detail="no status of ok, warning or critical"))
    score, judged_status = _score(report)
    metrics = mapping(report.get("metrics"))
    worst = _worst(report.get("alerts"))
    samples = number(metrics.get("sample_size"))
    return Snapshot(
        at=at,
        health=_worse(_STATES[status], judged_status),
        score=score,
        p95_ms=number(metrics.get("overall_p95_ms")),
        error_rate=number(metrics.get("error_rate")),
        sample_size=None if samples is None else int(samples),
        headline=unlinked(clean(worst.get("message"), 200)) or f"health is {status}",
        symptom=text(worst.get("type"), 40),
        route=unlinked(clean(worst.get("route"), 200)) or None,
        value=number(worst.get("value")),
        usual=number(worst.get("usual")),
        since=_moment(worst.get("since"), at),
        report=report,
        judged="storage" in report,
    )


def _moment(value: Any, at: datetime) -> str | None:
    """A time at which trouble seen at `at` may have begun, for clocks differ, by their zone too; else None."""
    said = text(value, 40)
    try:
        found = parse_time(said or "")
    except ValueError:
        return None
    return said if at - LASTS_AT_MOST <= found <= at + timedelta(days=1) else None


def graver(after: str, before: str) -> bool:
    """One symptom is worse than the other; what is not told in figures cannot be compared."""
    known = after in GRAVEST_FIRST and before in GRAVEST_FIRST
    return known and GRAVEST_FIRST.index(after) < GRAVEST_FIRST.index(before)


def _score(report: Mapping[str, Any]) -> tuple[float | None, Health]:
    value = report.get("health_score")
    if not isinstance(value, Mapping):
        return number(value), Health.OK
    status = value.get("status")
    return number(value.get("score")), _STATES.get(status, Health.OK) if isinstance(
        status, str
    ) else Health.OK


def _worst(alerts: Any) -> Mapping[str, Any]:
    rows = [a for a in alerts if isinstance(a, Mapping)] if isinstance(alerts, Sequence) else []
    return min(rows, key=_rank, default={})


def _rank(alert: Mapping[str, Any]) -> tuple[bool, int]:
    """Critical before warning, errors before slowness; equal ones stay in the report's order."""
    kind = alert.get("type")
    return alert.get("severity") != "critical", SYMPTOMS.index(kind) if kind in SYMPTOMS else len(SYMPTOMS)


def _worse(a: Health, b: Health) -> Health:
    order = list(Health)
    return max(a, b, key=order.index)
