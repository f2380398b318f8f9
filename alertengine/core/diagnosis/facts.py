"""A health report, with or without evidence, as typed facts. Names of the application are cleaned here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from alertengine.core.diagnosis.reading import Reading, mapping, number, pair, positive, rows
from alertengine.core.diagnosis.redaction import clean

NAME_LIMIT: Final = 60
MESSAGE_LIMIT: Final = 300
ROWS_LIMIT: Final = 50
CODES_LIMIT: Final = 20
_STATUS: Final = re.compile(r"[1-5][0-9]{2}")
DATABASE_KINDS: Final = frozenset(
    {"db", "database", "sql", "postgres", "postgresql", "mysql", "mariadb", "sqlite", "mongo", "mongodb",
     "oracle", "mssql", "redis", "cache", "valkey", "cassandra", "elasticsearch", "pool"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionFact:
    """One kind of exception at one place in the code."""

    ref: str
    type: str
    message: str
    location: str
    route: str | None
    count: float
    first_seen_s_ago: float | None
    new: bool
    errno: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyFact:
    """The calls to one database, service or other outside thing."""

    ref: str
    kind: str
    name: str
    count: Reading
    fail_rate: Reading
    p50_ms: Reading
    p95_ms: Reading
    wait_p95_ms: Reading
    codes: Mapping[str, float]

    @property
    def label(self) -> str:
        """Kind and name, said once where they are the same."""
        return self.name if self.kind in ("", self.name) else f"{self.kind} {self.name}".strip()

    @property
    def is_database(self) -> bool:
        return self.kind.lower() in DATABASE_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFact:
    """The requests of one route."""

    ref: str
    route: str
    sample_size: Reading
    p50_ms: Reading
    p95_ms: Reading
    error_rate: Reading
    client_error_rate: Reading
    status: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFact:
    """The process itself."""

    lag_p95_ms: Reading
    lag_max_ms: Reading
    cpu: Reading
    rss_mb: Reading
    rss_slope_mb_s: Reading
    gc_ms_per_s: Reading
    in_flight: Reading
    in_flight_max: Reading
    disk_free_pct: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFact:
    """Requests as a whole."""

    rps: Reading
    matched: Reading
    unmatched: Reading
    top_client_share: Reading
    silent_s: float | None
    """Since the last request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkFact:
    """Something the application said about itself, such as the version it started with."""

    ref: str
    kind: str
    version: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFact:
    """An alert of the report; `age_s` is how long it had been true."""

    ref: str
    type: str
    route: str | None
    value: float | None
    threshold: float | None
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a rule may look at."""

    has_evidence: bool
    window_s: float | None
    missing: tuple[str, ...]
    exceptions: tuple[ExceptionFact, ...]
    dependencies: tuple[DependencyFact, ...]
    routes: tuple[RouteFact, ...]
    unmatched: RouteFact | None
    marks: tuple[MarkFact, ...]
    alerts: tuple[AlertFact, ...]
    runtime: RuntimeFact
    traffic: TrafficFact
    error_rate: float | None
    client_error_rate: float | None
    p95_ms: float | None
    uptime_s: float | None


UNMATCHED: Final = "__unmatched"
"""How the SDK names the requests that matched no route: nobody's route can fail by them."""
SECTIONS: Final = ("exceptions", "dependencies", "runtime", "traffic", "routes", "marks")


def read(report: Mapping[str, object]) -> Facts:
    """The facts of a report; whatever has the wrong shape is taken as absent."""
    evidence, metrics = mapping(report.get("evidence")), mapping(report.get("metrics"))
    alerts = _alerts(report)
    routes = _routes(evidence.get("routes") or report.get("routes"))
    return Facts(
        has_evidence=bool(evidence),
        window_s=positive(evidence.get("window_s")),
        missing=tuple(name for name in SECTIONS if not isinstance(evidence.get(name), list | Mapping)),
        exceptions=_exceptions(evidence.get("exceptions"), _horizon(alerts)),
        dependencies=_dependencies(evidence.get("dependencies")),
        routes=tuple(route for route in routes if not route.route.startswith(UNMATCHED)),
        unmatched=next((route for route in routes if route.route.startswith(UNMATCHED)), None),
        marks=_marks(evidence.get("marks")),
        alerts=alerts,
        runtime=_runtime(mapping(evidence.get("runtime")), metrics),
        traffic=_traffic(mapping(evidence.get("traffic")), metrics),
        error_rate=positive(metrics.get("error_rate")),
        client_error_rate=positive(metrics.get("client_error_rate")),
        p95_ms=positive(metrics.get("overall_p95_ms")),
        uptime_s=positive(report.get("uptime_s")),
    )


def _name(value: object) -> str:
    return clean(value, NAME_LIMIT)


def _horizon(alerts: tuple[AlertFact, ...]) -> float:
    """What was first seen no longer ago than this belongs to the trouble."""
    return 30.0 + max((alert.age_s for alert in alerts if alert.age_s is not None), default=30.0)


def _exceptions(value: object, horizon_s: float) -> tuple[ExceptionFact, ...]:
    return tuple(
        ExceptionFact(
            ref=f"exception-{index}",
            type=_name(row.get("type")) or "an exception",
            message=clean(row.get("message"), MESSAGE_LIMIT),
            location=_name(row.get("location")),
            route=_name(row.get("route")) or None,
            count=positive(row.get("count")) or 1.0,
            first_seen_s_ago=positive(row.get("first_seen_s_ago")),
            new=_is_new(row, horizon_s),
            errno=None if (errno := number(row.get("errno"))) is None else int(errno),
        )
        for index, row in enumerate(rows(value, ROWS_LIMIT), 1)
    )


def _is_new(row: Mapping[str, object], horizon_s: float) -> bool:
    # `new` holds for the length of a window only; an incident that is looked at later has the same cause.
    first = positive(row.get("first_seen_s_ago"))
    return row.get("new") is not False or (first is not None and first <= horizon_s)


def _dependencies(value: object) -> tuple[DependencyFact, ...]:
    return tuple(_dependency(row, index) for index, row in enumerate(rows(value, ROWS_LIMIT), 1))


def _dependency(row: Mapping[str, object], index: int) -> DependencyFact:
    usual = _of_something(mapping(row.get("usual")), "count")
    return DependencyFact(
        ref=f"dependency-{index}",
        kind=_name(row.get("kind")),
        name=_name(row.get("name")) or "unnamed",
        count=pair(row, usual, "count"),
        fail_rate=pair(row, usual, "fail_rate"),
        p50_ms=pair(row, usual, "p50_ms"),
        p95_ms=pair(row, usual, "p95_ms"),
        wait_p95_ms=pair(row, usual, "wait_p95_ms"),
        codes=_codes(row.get("codes")),
    )


def _of_something(usual: Mapping[str, object], size: str) -> Mapping[str, object]:
    """What was counted over nothing is no usual value, though it may be written as 0 ms."""
    return {size: 0} if number(usual.get(size)) == 0 else usual


def _codes(value: object) -> Mapping[str, float]:
    """How often calls failed, by code; codes are the application's words."""
    found = islice(mapping(value).items(), CODES_LIMIT)
    counts = {_name(key): positive(count) or 0.0 for key, count in found}
    return {key: count for key, count in counts.items() if key and count}


def _statuses(value: object) -> Mapping[str, float]:
    """How often requests ended, by status code."""
    found = islice(mapping(value).items(), ROWS_LIMIT)
    counts = {key: positive(count) or 0.0 for key, count in found if _STATUS.fullmatch(str(key))}
    return {key: count for key, count in counts.items() if count}


def _routes(value: object) -> tuple[RouteFact, ...]:
    return tuple(_route(row, index) for index, row in enumerate(rows(value, ROWS_LIMIT), 1))


def _route(row: Mapping[str, object], index: int) -> RouteFact:
    usual = _of_something(mapping(row.get("usual")), "sample_size")
    return RouteFact(
        ref=f"route-{index}",
        route=_name(row.get("route")) or "unnamed",
        sample_size=pair(row, usual, "sample_size"),
        p50_ms=pair(row, usual, "p50_ms"),
        p95_ms=pair(row, usual, "p95_ms"),
        error_rate=pair(row, usual, "error_rate"),
        client_error_rate=pair(row, usual, "client_error_rate"),
        status=_statuses(row.get("status")),
    )


def _marks(value: object) -> tuple[MarkFact, ...]:
    found = [
        MarkFact(
            ref=f"mark-{index}", kind=_name(row.get("kind")), version=_name(row.get("version")), age_s=age
        )
        for index, row in enumerate(rows(value, ROWS_LIMIT), 1)
        if (age := positive(row.get("age_s"))) is not None
    ]
    return tuple(sorted(found, key=lambda mark: mark.age_s))


def _alerts(report: Mapping[str, object]) -> tuple[AlertFact, ...]:
    now = _moment(report.get("timestamp"))
    return tuple(
        AlertFact(
            ref=f"alert-{index}",
            type=_name(row.get("type")),
            route=_name(row.get("route")) or None,
            value=number(row.get("value")),
            threshold=number(row.get("threshold")),
            age_s=_age(now, _moment(row.get("since"))),
        )
        for index, row in enumerate(rows(report.get("alerts"), ROWS_LIMIT), 1)
    )


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _age(now: datetime | None, since: datetime | None) -> float | None:
    # A time without a zone cannot be subtracted from one with a zone.
    if now is None or since is None or (now.tzinfo is None) != (since.tzinfo is None):
        return None
    return max(0.0, (now - since).total_seconds())


def _runtime(row: Mapping[str, object], metrics: Mapping[str, object]) -> RuntimeFact:
    usual = mapping(row.get("usual"))
    in_flight = pair(row, usual, "in_flight")
    return RuntimeFact(
        lag_p95_ms=pair(row, usual, "loop_lag_p95_ms"),
        lag_max_ms=pair(row, usual, "loop_lag_max_ms"),
        cpu=pair(row, usual, "cpu"),
        rss_mb=pair(row, usual, "rss_mb"),
        rss_slope_mb_s=Reading(number(row.get("rss_slope_mb_s")), number(usual.get("rss_slope_mb_s"))),
        gc_ms_per_s=pair(row, usual, "gc_ms_per_s"),
        in_flight=in_flight if in_flight.now is not None else Reading(positive(metrics.get("in_flight"))),
        in_flight_max=pair(row, usual, "in_flight_max"),
        disk_free_pct=positive(row.get("disk_free_pct")),
    )


def _traffic(row: Mapping[str, object], metrics: Mapping[str, object]) -> TrafficFact:
    usual = mapping(row.get("usual"))
    rps = pair(row, usual, "rps")
    return TrafficFact(
        rps=rps if rps.now is not None else Reading(positive(metrics.get("requests_per_s"))),
        matched=pair(row, usual, "rps_matched"),
        unmatched=pair(row, usual, "rps_unmatched"),
        top_client_share=pair(row, usual, "top_client_share"),
        silent_s=positive(row.get("silent_s")),
    )
