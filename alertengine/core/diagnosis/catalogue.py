"""Everything a report measured, as numbered items: the only things a diagnosis may cite.

The identifiers are those of the findings of the rules, so that a rule's finding and
another diagnoser's claim about the same report speak of the same measurement.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from alertengine.core.diagnosis import facts, items, signals
from alertengine.core.diagnosis.facts import DependencyFact, Facts, RouteFact
from alertengine.core.diagnosis.model import EvidenceItem

PER_SECTION: Final = 10


def catalogue(report: Mapping[str, object], most: int = PER_SECTION) -> tuple[EvidenceItem, ...]:
    """The measurements of a report in words, cleaned and bounded; what deviates most comes first in its section."""
    found = facts.read(report)
    return (
        *_events(found, most),
        *_calls(found, most),
        *_requests(found, most),
        *_process(found),
        *_traffic(found),
    )


def _events(found: Facts, most: int) -> Iterator[EvidenceItem]:
    yield from map(items.alerted, found.alerts[:most])
    yield from map(
        items.raised, sorted(found.exceptions, key=lambda fact: (not fact.new, -fact.count))[:most]
    )
    yield from map(items.started, found.marks[:most])


def _calls(found: Facts, most: int) -> Iterator[EvidenceItem]:
    for fact in sorted(found.dependencies, key=_strangeness_of_calls, reverse=True)[:most]:
        if fact.p95_ms.now is not None:
            yield items.answering(fact)
        if fact.fail_rate.now or fact.fail_rate.usual:
            yield items.failing(fact)
        if fact.wait_p95_ms.now:
            yield items.waiting(fact)
        if fact.count.now is not None:
            yield items.vanished(fact)


def _requests(found: Facts, most: int) -> Iterator[EvidenceItem]:
    for fact in sorted(found.routes, key=_strangeness_of_route, reverse=True)[:most]:
        if fact.p95_ms.now is not None:
            yield items.slow_route(fact)
        if fact.error_rate.now or fact.error_rate.usual:
            yield items.erring(fact)
        if fact.client_error_rate.now or fact.client_error_rate.usual:
            yield items.refusing(fact)


def _process(found: Facts) -> Iterator[EvidenceItem]:
    runtime = found.runtime
    readings = (
        (runtime.lag_p95_ms.now, items.lag),
        (runtime.cpu.now, items.cpu),
        (runtime.rss_slope_mb_s.now, items.memory_growth),
        (runtime.rss_mb.now, items.memory),
        (runtime.gc_ms_per_s.now, items.collecting),
        (runtime.in_flight_max.now, items.in_flight),
        (runtime.disk_free_pct, items.disk),
    )
    yield from (say(runtime) for known, say in readings if known is not None)


def _traffic(found: Facts) -> Iterator[EvidenceItem]:
    traffic = found.traffic
    readings = (
        (traffic.rps.now, items.traffic),
        (traffic.matched.now, items.matched),
        (traffic.unmatched.now, items.unmatched),
        (traffic.top_client_share.now, items.top_client),
    )
    yield from (say(traffic) for known, say in readings if known is not None)


def _strangeness_of_calls(fact: DependencyFact) -> float:
    return max(signals.failing(fact), signals.waiting(fact), signals.slow_calls(fact))


def _strangeness_of_route(fact: RouteFact) -> float:
    return max(signals.erring(fact), signals.refusing(fact), signals.slow_route(fact))
