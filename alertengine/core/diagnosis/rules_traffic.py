"""Rules about who asks, and how much."""

from alertengine.core.diagnosis import families, items, signals
from alertengine.core.diagnosis.facts import Facts, RouteFact
from alertengine.core.diagnosis.model import EvidenceItem
from alertengine.core.diagnosis.reading import clamp
from alertengine.core.diagnosis.signals import Signals
from alertengine.core.diagnosis.weighing import Case, Sign, for_cause, strongest_first


def traffic_surge(facts: Facts, seen: Signals) -> Case:
    """Necessary: requests to existing routes multiply. What follows (waiting, crowding) supports it.

    Against: what more requests alone do not bring about.
    """
    return for_cause(
        "traffic_surge",
        Sign(5.0 * seen.surge, (_requests(facts),)),
        Sign(0.5 * seen.crowded, (items.in_flight(facts.runtime),)),
        Sign(-2.0 * seen.scan),
        Sign(-2.0 * seen.leak),
        Sign(-3.5 * _beside_the_load(facts, seen)),
    )


def _beside_the_load(facts: Facts, seen: Signals) -> float:
    """How plainly something is wrong that load does not do: calls fail everywhere, or though nothing is crowded, late
    or slow; the code fails by itself; the loop runs late by more processor time than so many requests need, or by none.
    """
    # A pool that turns requests away is what load does.
    full = max([0.0, *(families.share(fact, families.POOL) for fact in facts.dependencies)])
    load = max(signals.crowded_beyond_traffic(facts), seen.lag, seen.slowness, clamp(full / 0.1))
    failing = max([0.0, *map(signals.failing, facts.dependencies)])
    # Whoever is overloaded still answers some.
    all_of_them = clamp(
        (max([0.0, *(fact.fail_rate.now or 0.0 for fact in facts.dependencies)]) - 0.8) / 0.15
    )
    bugs = families.with_family([fact for fact in facts.exceptions if fact.new], families.OTHER)
    return max(
        max(seen.errors, failing) * (1 - load),
        failing * all_of_them,
        0.7 * seen.errors * clamp(sum(fact.count for fact in bugs) / 3),
        seen.lag * max(seen.cpu, signals.idle(facts.runtime, facts.traffic)),
    )


def scanner_4xx(facts: Facts, seen: Signals) -> Case:
    """Necessary: requests to paths that do not exist. One busy client supports it; a botnet has many."""
    concentrated = clamp(facts.traffic.top_client_share.rise() / 0.4)
    known = facts.traffic.unmatched.now is not None
    not_found = 0.0 if known or facts.unmatched is None else _share_unmatched(facts, facts.unmatched)
    said = (
        items.refusing(facts.unmatched) if not_found and facts.unmatched else items.unmatched(facts.traffic)
    )
    return for_cause(
        "scanner_4xx",
        Sign(4.5 * max(seen.scan, 0.8 * not_found), (said,)),
        Sign(0.8 * concentrated, (items.top_client(facts.traffic),)),
        Sign(0.3 * seen.refusals),
        Sign(-2.0 * seen.errors),
    )


def no_traffic(facts: Facts, seen: Signals) -> Case:
    """Necessary: (almost) nothing arrives. Against: requests are stuck inside, so they did arrive."""
    told = [alert for alert in facts.alerts if alert.type == "traffic_drop"]
    quiet, dropped = 4.6 * seen.quiet, 4.2 * clamp(len(told))
    stuck = clamp(((facts.runtime.in_flight.now or 0.0) - (facts.runtime.in_flight_max.usual or 3.0)) / 5)
    return for_cause(
        "no_traffic",
        Sign(
            max(quiet, dropped),
            strongest_first(
                (quiet, (items.traffic(facts.traffic),)), (dropped, tuple(map(items.alerted, told[:1])))
            ),
        ),
        Sign(-4.0 * max(stuck, seen.crowded if stuck else 0.0)),
        Sign(-1.5 * max(seen.lag, seen.errors, seen.refusals, seen.slowness)),
    )


def _requests(facts: Facts) -> EvidenceItem:
    return (
        items.matched(facts.traffic)
        if facts.traffic.matched.now is not None
        else items.traffic(facts.traffic)
    )


def _share_unmatched(facts: Facts, unmatched: RouteFact) -> float:
    """Where the traffic's own figures are missing: the unmatched requests among those of all routes."""
    missing = unmatched.sample_size.now or 0.0
    total = missing + sum(route.sample_size.now or 0.0 for route in facts.routes)
    return clamp(2.5 * missing / total) if missing >= 5 else 0.0
