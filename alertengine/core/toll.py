"""What failed on routes with a value, poll by poll: a report counts over a minute, an outage lasts longer. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alertengine.core.diagnosis.reading import mapping, number

WINDOW_S = 60.0
"""What a report counts over, unless it says so itself."""
SHORTEST_S, LONGEST_S = 1.0, 3600.0
EARLY_S = 0.5
"""Polls are not quite regular: an entry that is so near its end has left the report."""
SURELY = 0.05
"""A route of which less fails is not what the incident is about."""
NEWEST = 20
NEWEST_S = 10.0
"""By so many of its requests, over so long, a route is judged to fail now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one poll brought of a route that no poll before had told."""

    at: datetime
    requests: float
    failed: float


@dataclass(frozen=True, slots=True)
class Toll:
    """Of one service. Asked for one trouble, the count only grows."""

    window_s: float = WINDOW_S
    first_at: datetime | None = None
    """Of the first poll: its report tells of a time in which nobody looked."""
    routes: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    """The entries of the last window, oldest first."""
    began: datetime | None = None
    """The trouble that `older` is about."""
    older: Mapping[str, float] = field(default_factory=dict)
    """Failures since then, of which the entries are gone."""

    def about(self, began: datetime | None) -> Toll:
        """For a trouble that began then. Where it began before anybody looked, at the rate that was found."""
        if began is None or began == self.began:
            return self
        if self.first_at is None:
            return replace(self, began=began, older={})
        missed_s = max(0.0, (self.first_at - began).total_seconds() - self.window_s)
        found = {
            route: rows[0].failed
            for route, rows in self.routes.items()
            if rows and rows[0].at == self.first_at
        }
        older = {route: failed / self.window_s * missed_s for route, failed in found.items()}
        return replace(self, began=began, older=older)

    def see(self, at: datetime, report: Mapping[str, Any], wanted: Collection[str]) -> Toll:
        """With one more report."""
        window_s = _window_s(report)
        oldest, older, routes = at - timedelta(seconds=window_s - EARLY_S), dict(self.older), {}
        counted = _counted(report, wanted)
        for route in self.routes.keys() | counted.keys():
            rows = self.routes.get(route, ())
            gone = [row for row in rows if row.at <= oldest]
            kept = rows[len(gone) :]
            if self.began is not None:
                older[route] = older.get(route, 0.0) + _failed(gone, self.began)
            requests, failed = counted.get(route, (0.0, 0.0))
            new = Entry(
                at,
                max(0.0, requests - sum(row.requests for row in kept)),
                max(0.0, failed - sum(row.failed for row in kept)),
            )
            routes[route] = (*kept, new)
        return replace(self, window_s=window_s, first_at=self.first_at or at, routes=routes, older=older)

    def fails(self, route: str) -> bool:
        """The newest requests of the route do."""
        rows = self.routes.get(route, ())
        requests = failed = 0.0
        for row in reversed(rows):
            if requests >= NEWEST and (rows[-1].at - row.at).total_seconds() >= NEWEST_S:
                break
            requests, failed = requests + row.requests, failed + row.failed
        return requests > 0 and failed >= SURELY * requests

    def count(self, route: str, began: datetime) -> float:
        """How many failed since the trouble began."""
        return self.about(began).older.get(route, 0.0) + _failed(self.routes.get(route, ()), began)

    def per_s(self, route: str, began: datetime, now: datetime) -> float:
        """At which rate, over the last window or since it began."""
        reach = max(began, now - timedelta(seconds=self.window_s - EARLY_S))
        span_s = min(self.window_s, max((now - began).total_seconds(), 1.0))
        return _failed(self.routes.get(route, ()), reach) / span_s


def _failed(rows: Collection[Entry], after: datetime) -> float:
    return sum(row.failed for row in rows if row.at > after)


def _window_s(report: Mapping[str, Any]) -> float:
    said = number(mapping(report.get("metrics")).get("window_s"))
    return WINDOW_S if said is None else min(max(said, SHORTEST_S), LONGEST_S)


def _counted(report: Mapping[str, Any], wanted: Collection[str]) -> dict[str, tuple[float, float]]:
    """Requests and failures of each wanted route within the report's window, where it says so in figures."""
    rows, found = report.get("routes"), {}
    for row in map(mapping, rows if isinstance(rows, list) else ()):
        route, requests = row.get("route"), number(row.get("sample_size")) or 0.0
        rate = number(row.get("error_rate"))
        if (
            isinstance(route, str)
            and route in wanted
            and requests > 0
            and rate is not None
            and 0 <= rate <= 1
        ):
            found[route] = (requests, requests * rate)
    return found
