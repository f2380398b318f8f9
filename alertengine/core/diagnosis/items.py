"""Measurements in words: what a finding cites, and what a reader sees."""

from alertengine.core.diagnosis.facts import (
    AlertFact,
    DependencyFact,
    ExceptionFact,
    MarkFact,
    RouteFact,
    RuntimeFact,
    TrafficFact,
)
from alertengine.core.diagnosis.model import EVIDENCE_TEXT_LIMIT, EvidenceItem
from alertengine.core.diagnosis.reading import Reading
from alertengine.core.diagnosis.redaction import shorten
from alertengine.core.said import Figure, Said

CODES_SHOWN = 2


def item(ref: str, key: str, /, **values: object) -> EvidenceItem:
    said = Said(f"evidence.{key}", values)
    return EvidenceItem(id=ref, text=shorten(said.english, EVIDENCE_TEXT_LIMIT), said=said)


def waiting(fact: DependencyFact) -> EvidenceItem:
    return item(f"{fact.ref}.wait", "waiting", name=fact.label, **_compared(fact.wait_p95_ms, "ms"))


def answering(fact: DependencyFact) -> EvidenceItem:
    return item(f"{fact.ref}.time", "answering", name=fact.label, **_compared(fact.p95_ms, "ms"))


def failing(fact: DependencyFact) -> EvidenceItem:
    codes = sorted(fact.codes.items(), key=lambda entry: -entry[1])
    named = _counted([(f"“{code}”", count) for code, count in codes])
    shown = {"name": fact.label, **_compared(fact.fail_rate, "share"), **named}
    return item(f"{fact.ref}.failures", "failing_by" if named else "failing", **shown)


def vanished(fact: DependencyFact) -> EvidenceItem:
    return item(f"{fact.ref}.count", "vanished", name=fact.label, **_compared(fact.count))


def raised(fact: ExceptionFact) -> EvidenceItem:
    what = Said("evidence.place", {"type": fact.type, "place": fact.location}) if fact.location else fact.type
    newness = "evidence.new" if fact.new else "evidence.known"
    known = Said(newness)
    if fact.first_seen_s_ago is not None:
        known = Said(f"{newness}_since", {"span": Figure(round(fact.first_seen_s_ago), "s")})
    words = f": “{shorten(fact.message, 50)}”" if fact.message else ""
    return item(fact.ref, "raised", n=Figure(fact.count), what=what, known=known, words=words)


def erring(fact: RouteFact) -> EvidenceItem:
    return item(f"{fact.ref}.errors", "erring", route=fact.route, **_compared(fact.error_rate, "share"))


def refusing(fact: RouteFact) -> EvidenceItem:
    refused = ((code, count) for code, count in fact.status.items() if code.startswith("4"))
    named = _counted(sorted(refused, key=lambda entry: -entry[1]))
    shown = {"route": fact.route, **_compared(fact.client_error_rate, "share"), **named}
    return item(f"{fact.ref}.refusals", "refusing_by" if named else "refusing", **shown)


def slow_route(fact: RouteFact) -> EvidenceItem:
    return item(f"{fact.ref}.time", "slow", route=fact.route, **_compared(fact.p95_ms, "ms"))


def started(fact: MarkFact) -> EvidenceItem:
    span = Figure(round(fact.age_s), "s")
    if not fact.version:
        return item(fact.ref, "started_unnamed", span=span)
    return item(fact.ref, "started", version=fact.version, span=span)


def lag(fact: RuntimeFact) -> EvidenceItem:
    late = _compared(fact.lag_p95_ms, "ms")
    if fact.lag_max_ms.now is None:
        return item("runtime.lag", "lag", **late)
    most = _compared(fact.lag_max_ms, "ms")
    return item("runtime.lag", "lag_most", **late, most=most["now"], most_usual=most["usual"])


def cpu(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.cpu", "cpu", **_compared(fact.cpu, "share"))


def memory_growth(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.memory", "memory_growth", **_compared(fact.rss_slope_mb_s, "mb"))


def memory(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.rss", "memory", **_compared(fact.rss_mb, "mb"))


def collecting(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.gc", "collecting", **_compared(fact.gc_ms_per_s, "ms"))


def in_flight(fact: RuntimeFact) -> EvidenceItem:
    reading = fact.in_flight_max if fact.in_flight_max.now is not None else fact.in_flight
    return item("runtime.in-flight", "in_flight", **_compared(reading))


def disk(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.disk", "disk", now=Figure((fact.disk_free_pct or 0.0) / 100, "share"))


def traffic(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.all", "traffic", **_compared(fact.rps))


def matched(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.matched", "matched", **_compared(fact.matched))


def unmatched(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.unmatched", "unmatched", **_compared(fact.unmatched))


def top_client(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.client", "client", **_compared(fact.top_client_share, "share"))


def alerted(fact: AlertFact) -> EvidenceItem:
    what: object = fact.type or Said("evidence.alert_unnamed")
    if fact.route:
        what = Said("evidence.alert_on", {"what": what, "route": fact.route})
    if fact.value is not None:
        what = Said("evidence.alert_at", {"what": what, "value": Figure(fact.value)})
    if fact.threshold is not None:
        what = Said("evidence.alert_limit", {"what": what, "limit": Figure(fact.threshold)})
    return item(fact.ref, "alert", what=what)


def _compared(reading: Reading, unit: str = "n") -> dict[str, object]:
    """The value now, and the usual one in brackets, or that it is not known."""
    usual = Said("evidence.usual_unknown")
    if reading.usual is not None:
        usual = Said("evidence.usual", {"value": Figure(reading.usual, unit)})
    return {"now": Figure(reading.now or 0.0, unit), "usual": usual}


def _counted(named: list[tuple[str, float]]) -> dict[str, object]:
    """How often each of the first few came; empty where there are none."""
    times = [Said("evidence.times", {"n": Figure(n), "what": what}) for what, n in named[:CODES_SHOWN]]
    if len(times) < CODES_SHOWN:
        return {"codes": times[0]} if times else {}
    return {"codes": Said("evidence.both", {"one": times[0], "other": times[1]})}
