"""Rules about what the application calls: databases and outside services."""

import math

from alertengine.core.diagnosis import families, items, signals
from alertengine.core.diagnosis.facts import DependencyFact, Facts, RouteFact
from alertengine.core.diagnosis.reading import clamp
from alertengine.core.diagnosis.signals import Signals
from alertengine.core.diagnosis.weighing import Case, Sign, for_cause, strongest, strongest_first


def worst_route(facts: Facts) -> RouteFact | None:
    """The route that fails most, weighed by how many requests it had."""
    found = [(signals.erring(route) * (route.sample_size.now or 1.0), route) for route in facts.routes]
    score, route = max(found, key=lambda entry: entry[0], default=(0.0, None))
    return route if score > 0 else None


def slowest_route(facts: Facts) -> RouteFact | None:
    found = [(signals.slow_route(route), route.p95_ms.now or 0.0, route) for route in facts.routes]
    score, _, route = max(found, key=lambda entry: entry[:2], default=(0.0, 0.0, None))
    return route if score > 0 else None


def _databases(facts: Facts) -> list[DependencyFact]:
    return [fact for fact in facts.dependencies if fact.is_database]


def _outside(facts: Facts) -> list[DependencyFact]:
    return [fact for fact in facts.dependencies if not fact.is_database]


def db_slow(facts: Facts, seen: Signals) -> Case:
    """Necessary: queries run longer than usual. Against: the process itself is late or flooded."""
    return strongest((_db_slow(fact, facts, seen) for fact in _databases(facts)), "db_slow")


def _db_slow(fact: DependencyFact, facts: Facts, seen: Signals) -> Case:
    slow = signals.slow_calls(fact)
    timeouts = _share(fact, families.TIMEOUT, families.DATABASE_BUSY)
    route = slowest_route(facts)
    return for_cause(
        "db_slow",
        Sign(
            4.5 * max(slow, timeouts),
            strongest_first((slow, (items.answering(fact),)), (timeouts, (items.failing(fact),))),
        ),
        Sign(1.0 * timeouts),
        Sign(0.5 * signals.waiting(fact) * slow, (items.waiting(fact),)),
        Sign(0.3 * seen.slowness, (items.slow_route(route),) if route else ()),
        Sign(-4.0 * max(seen.lag * signals.by_lateness(fact, facts.runtime), seen.everywhere)),
        # Load makes calls wait, and some of them slower; many times slower is more than that.
        Sign(-3.5 * seen.surge * (1 - 0.5 * clamp(math.log2(max(1.0, fact.p50_ms.factor(2))) / 2 - 1))),
        # A call that waited in vain for a connection counts as a long one, and never reached the database.
        Sign(-3.5 * max(_share(other, families.POOL) for other in _databases(facts))),
        Sign(-2.0 * max([0.0, *map(signals.slow_calls, _outside(facts))])),
        route=route.route if route else None,
        dependency=fact.label,
    )


def pool_exhaustion(facts: Facts, seen: Signals) -> Case:
    """Necessary: waiting for a connection. Against: slow queries or a flood of requests explain it."""
    cases = [_pool(fact, facts, seen) for fact in facts.dependencies]
    return strongest([*cases, _pool_by_exception(facts, seen), _pool_stuck(facts, seen)], "pool_exhaustion")


def _pool(fact: DependencyFact, facts: Facts, seen: Signals) -> Case:
    wait, refused = signals.waiting(fact), _share(fact, families.POOL)
    same = [other for other in facts.dependencies if other.kind == fact.kind]
    slow = max(map(signals.slow_calls, same)) * (
        1 - 0.8 * max(_share(other, families.POOL) for other in same)
    )
    route = slowest_route(facts) or worst_route(facts)
    return for_cause(
        "pool_exhaustion",
        Sign(
            5.0 * max(wait, refused),
            strongest_first((wait, (items.waiting(fact),)), (refused, (items.failing(fact),))),
        ),
        Sign(0.5 * (1 - slow), (items.answering(fact),)),
        Sign(0.5 * seen.crowded, (items.in_flight(facts.runtime),)),
        Sign(0.4 * seen.slowness, (items.slow_route(route),) if route and seen.slowness else ()),
        Sign(-4.5 * slow),
        Sign(-3.5 * seen.surge),
        Sign(-2.0 * seen.lag),
        route=route.route if route else None,
        dependency=fact.label,
    )


def _pool_by_exception(facts: Facts, seen: Signals) -> Case:
    found = families.with_family(facts.exceptions, families.POOL)
    strength = clamp(sum(fact.count for fact in found if fact.new) / 3)
    return for_cause(
        "pool_exhaustion",
        Sign(4.5 * strength, tuple(map(items.raised, found[:2]))),
        Sign(0.5 * seen.crowded, (items.in_flight(facts.runtime),)),
        Sign(-3.0 * seen.surge),
        Sign(-3.0 * max([0.0, *map(signals.slow_calls, _databases(facts))])),
        route=found[0].route if found else None,
    )


def _pool_stuck(facts: Facts, seen: Signals) -> Case:
    """Nobody who waits ever gets a connection: no wait is ever measured, the calls are simply missing."""
    missing = [(_vanished(fact, facts), fact) for fact in _databases(facts)]
    strength, fact = max(missing, key=lambda entry: entry[0], default=(0.0, None))
    if fact is None:
        return Case(cause="pool_exhaustion", points=0.0)
    return for_cause(
        "pool_exhaustion",
        Sign(3.2 * strength * seen.crowded, (items.vanished(fact), items.in_flight(facts.runtime))),
        Sign(-3.0 * seen.lag),
        Sign(-3.0 * seen.errors),
        dependency=fact.label,
    )


def upstream_5xx(facts: Facts, seen: Signals) -> Case:
    """Server errors; or, with less weight, failures by a code that only the application and its neighbour know."""
    plain = _failing("upstream_5xx", families.SERVER_ERROR, facts, seen, _outside(facts))
    own = (_own_code(fact, facts, seen) for fact in facts.dependencies)
    return strongest([plain, *own], "upstream_5xx")


def _own_code(fact: DependencyFact, facts: Facts, seen: Signals) -> Case:
    codes = [code for code, count in fact.codes.items() if families.of_code(code) == families.OTHER and count]
    # The name of an exception is sooner a fault of the code around the call.
    worded = bool(codes) and not any(code[:1].isupper() or "." in code for code in codes)
    route = worst_route(facts)
    return for_cause(
        "upstream_5xx",
        Sign(3.6 * _share(fact, families.OTHER) * worded, (items.failing(fact),)),
        Sign(0.5 * seen.errors, (items.erring(route),) if route else ()),
        route=route.route if route else None,
        dependency=fact.label,
    )


def upstream_throttle(facts: Facts, seen: Signals) -> Case:
    return _failing("upstream_throttle", families.THROTTLED, facts, seen, list(facts.dependencies))


def upstream_down(facts: Facts, seen: Signals) -> Case:
    return _failing("upstream_down", families.UNREACHABLE, facts, seen, list(facts.dependencies))


def certificate_or_dns(facts: Facts, seen: Signals) -> Case:
    # Worth more than a plain failure to connect: the code says more than that nobody answered.
    case = _failing("certificate_or_dns", families.NAME_OR_CERTIFICATE, facts, seen, list(facts.dependencies))
    told = families.with_family(facts.exceptions, families.NAME_OR_CERTIFICATE)
    if not told or not any(_share(fact, families.UNREACHABLE, families.OTHER) for fact in facts.dependencies):
        return case
    unreachable = _failing("certificate_or_dns", families.UNREACHABLE, facts, seen, list(facts.dependencies))
    better = for_cause(
        "certificate_or_dns",
        Sign(unreachable.points + 1.5, (*unreachable.items[:1], *map(items.raised, told[:1]))),
        route=unreachable.route,
        dependency=unreachable.dependency,
    )
    return strongest((case, better), "certificate_or_dns")


def upstream_timeout(facts: Facts, seen: Signals) -> Case:
    """Time-outs of outside calls, or calls that take far longer than usual without failing yet."""
    slow = (_upstream_slow(fact, facts, seen) for fact in _outside(facts))
    failing = _failing("upstream_timeout", families.TIMEOUT, facts, seen, _outside(facts))
    return strongest([failing, *slow], "upstream_timeout")


def _upstream_slow(fact: DependencyFact, facts: Facts, seen: Signals) -> Case:
    slow = signals.slow_calls(fact)
    gone = _vanished(fact, facts) * seen.crowded
    own = families.failures(fact)
    other_failures = sum(count for family, count in own.items() if family != families.TIMEOUT)
    return for_cause(
        "upstream_timeout",
        Sign(max(3.6 * slow, 3.2 * gone), (items.answering(fact) if slow else items.vanished(fact),)),
        Sign(0.5 * seen.crowded, (items.in_flight(facts.runtime),)),
        Sign(-2.0 * clamp(other_failures / 4)),
        Sign(-4.0 * max(seen.lag * signals.by_lateness(fact, facts.runtime), seen.everywhere)),
        Sign(-2.0 * seen.surge),
        dependency=fact.label,
        route=route.route if (route := slowest_route(facts)) else None,
    )


def _failing(cause: str, family: str, facts: Facts, seen: Signals, where: list[DependencyFact]) -> Case:
    """Necessary: calls fail, and in this way. Exceptions stand in for calls that nobody timed."""
    cases = [_failing_calls(cause, family, fact, facts, seen) for fact in where]
    return strongest([*cases, _told(cause, family, facts, seen)], cause)


def _failing_calls(cause: str, family: str, fact: DependencyFact, facts: Facts, seen: Signals) -> Case:
    share = _share(fact, family)
    route = worst_route(facts)
    told = families.with_family(facts.exceptions, family)
    return for_cause(
        cause,
        Sign(5.0 * share, (items.failing(fact),)),
        Sign(0.5 * seen.errors, (items.erring(route),) if route else ()),
        Sign(0.8 * seen.refusals if family == families.THROTTLED else 0.0),
        Sign(0.3 * clamp(len(told)), tuple(map(items.raised, told[:1]))),
        # A process that runs late misses the answers that came in time.
        Sign(-4.0 * seen.lag if family == families.TIMEOUT else 0.0),
        route=route.route if route else None,
        dependency=fact.label,
    )


def _told(cause: str, family: str, facts: Facts, seen: Signals) -> Case:
    told = families.with_family(facts.exceptions, family)
    strength = clamp(sum(fact.count for fact in told if fact.new) / 3)
    strength *= 1 - max([0.0, *map(signals.failing, facts.dependencies)])
    return for_cause(
        cause,
        Sign(3.8 * strength, tuple(map(items.raised, told[:2]))),
        Sign(0.5 * seen.errors),
        route=told[0].route if told else None,
    )


def _share(fact: DependencyFact, *wanted: str) -> float:
    """How plainly calls fail in these ways: the strength of all failures times these ways' share of them."""
    found = families.failures(fact)
    total = sum(found.values())
    return signals.failing(fact) * sum(found.get(family, 0.0) for family in wanted) / total if total else 0.0


def _vanished(fact: DependencyFact, facts: Facts) -> float:
    others = [other for other in facts.dependencies if other is not fact and (other.count.usual or 0.0) >= 5]
    if not others:
        return 0.0
    pace = max((other.count.now or 0.0) / (other.count.usual or 1.0) for other in others)
    return signals.vanished(fact, pace)
