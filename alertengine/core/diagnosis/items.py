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
from alertengine.core.diagnosis.wording import against, age, duration, figure, megabytes, share, usual


def item(ref: str, text: str) -> EvidenceItem:
    return EvidenceItem(id=ref, text=shorten(text, EVIDENCE_TEXT_LIMIT))


def waiting(fact: DependencyFact) -> EvidenceItem:
    text = f"waiting for a connection of {fact.label}: {_at_p95(fact.wait_p95_ms)}"
    return item(f"{fact.ref}.wait", text)


def answering(fact: DependencyFact) -> EvidenceItem:
    return item(f"{fact.ref}.time", f"{fact.label} answers in {_at_p95(fact.p95_ms)}")


def failing(fact: DependencyFact) -> EvidenceItem:
    codes = sorted(fact.codes.items(), key=lambda entry: -entry[1])[:2]
    named = ", ".join(f"{figure(count)} times “{code}”" for code, count in codes)
    text = f"calls to {fact.label} that fail: {against(fact.fail_rate, share)}" + (
        f": {named}" if named else ""
    )
    return item(f"{fact.ref}.failures", text)


def vanished(fact: DependencyFact) -> EvidenceItem:
    return item(f"{fact.ref}.count", f"finished calls to {fact.label}: {against(fact.count, figure)}")


def raised(fact: ExceptionFact) -> EvidenceItem:
    newness = "new" if fact.new else "known from before"
    since = "" if fact.first_seen_s_ago is None else f", first {age(fact.first_seen_s_ago)} ago"
    place = f" at {fact.location}" if fact.location else ""
    said = f": “{shorten(fact.message, 50)}”" if fact.message else ""
    return item(fact.ref, f"{figure(fact.count)} times {fact.type}{place} ({newness}{since}){said}")


def erring(fact: RouteFact) -> EvidenceItem:
    return item(f"{fact.ref}.errors", f"{fact.route} fails: {against(fact.error_rate, share)}")


def refusing(fact: RouteFact) -> EvidenceItem:
    codes = sorted(
        ((c, n) for c, n in fact.status.items() if c.startswith("4")), key=lambda entry: -entry[1]
    )[:2]
    named = ", ".join(f"{figure(count)} times {code}" for code, count in codes)
    text = f"{fact.route} refuses: {against(fact.client_error_rate, share)}" + (f": {named}" if named else "")
    return item(f"{fact.ref}.refusals", text)


def slow_route(fact: RouteFact) -> EvidenceItem:
    return item(f"{fact.ref}.time", f"{fact.route} takes {_at_p95(fact.p95_ms)}")


def started(fact: MarkFact) -> EvidenceItem:
    version = f"version {fact.version}" if fact.version else "a version without a name"
    return item(fact.ref, f"{version} started {age(fact.age_s)} ago")


def lag(fact: RuntimeFact) -> EvidenceItem:
    text = f"event loop runs late by {_at_p95(fact.lag_p95_ms)}"
    if fact.lag_max_ms.now is not None:
        text += f", at most {against(fact.lag_max_ms, duration)}"
    return item("runtime.lag", text)


def cpu(fact: RuntimeFact) -> EvidenceItem:
    return item(
        "runtime.cpu", f"processor: {share(fact.cpu.now or 0.0)} of one core {usual(fact.cpu, share)}"
    )


def memory_growth(fact: RuntimeFact) -> EvidenceItem:
    grown = fact.rss_slope_mb_s
    return item(
        "runtime.memory", f"memory grows by {megabytes(grown.now or 0.0)} a second {usual(grown, megabytes)}"
    )


def memory(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.rss", f"memory in use: {against(fact.rss_mb, megabytes)}")


def collecting(fact: RuntimeFact) -> EvidenceItem:
    took = fact.gc_ms_per_s
    text = f"memory clean-up takes {duration(took.now or 0.0)} of every second {usual(took, duration)}"
    return item("runtime.gc", text)


def in_flight(fact: RuntimeFact) -> EvidenceItem:
    reading = fact.in_flight_max if fact.in_flight_max.now is not None else fact.in_flight
    return item("runtime.in-flight", f"requests in progress at once: {against(reading, figure)}")


def disk(fact: RuntimeFact) -> EvidenceItem:
    return item("runtime.disk", f"disk space left: {figure(fact.disk_free_pct or 0.0)} %")


def traffic(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.all", f"requests: {_per_second(fact.rps)}")


def matched(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.matched", f"requests to existing routes: {_per_second(fact.matched)}")


def unmatched(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.unmatched", f"requests to paths that do not exist: {_per_second(fact.unmatched)}")


def top_client(fact: TrafficFact) -> EvidenceItem:
    return item("traffic.client", f"share of the busiest client: {against(fact.top_client_share, share)}")


def alerted(fact: AlertFact) -> EvidenceItem:
    where = f" on {fact.route}" if fact.route else ""
    value = "" if fact.value is None else f": {figure(fact.value)}"
    limit = "" if fact.threshold is None else f" (limit {figure(fact.threshold)})"
    return item(fact.ref, f"alert {fact.type or 'of unknown type'}{where}{value}{limit}")


def _at_p95(reading: Reading) -> str:
    value = duration(reading.now or 0.0)
    return f"{value} at P95 {usual(reading, duration)}"


def _per_second(reading: Reading) -> str:
    return f"{figure(reading.now or 0.0)} a second {usual(reading, figure)}"
