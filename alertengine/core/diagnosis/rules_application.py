"""Rules about the application itself: its code, its version, its disk and whom it lets in."""

import math

from alertengine.core.diagnosis import families, items, signals
from alertengine.core.diagnosis.facts import DependencyFact, ExceptionFact, Facts, MarkFact, RouteFact
from alertengine.core.diagnosis.reading import clamp
from alertengine.core.diagnosis.rules_dependencies import worst_route
from alertengine.core.diagnosis.signals import Signals
from alertengine.core.diagnosis.weighing import Case, Sign, for_cause

SETTLING_S = 2.5
"""A version that takes over in a running process is reached by requests at once."""
STARTING_S = 4.0
"""A process that was started with it is not."""


def app_exception(facts: Facts, seen: Signals) -> Case:
    """Necessary: exceptions of the code's own, or 5xx that nothing outside explains.

    Against: a version just began.
    """
    raised = _bugs(facts)
    route = worst_route(facts)
    outside = _outside(facts)
    return for_cause(
        "app_exception",
        Sign(max(4.2 * _bug(facts, seen), _bare_errors(facts, seen)), tuple(map(items.raised, raised[:2]))),
        Sign(0.4 * seen.errors, (items.erring(route),) if route else ()),
        Sign(-2.8 * max(0.0, _fit(facts) - 0.3)),
        Sign(-2.0 * outside),
        route=_route(raised, route),
    )


def bad_deploy(facts: Facts, seen: Signals) -> Case:
    """Necessary: a version began just before the failures. Against: something outside explains them."""
    deploy = _deploy(facts)
    if deploy is None:
        return Case(cause="bad_deploy", points=0.0)
    raised, route, fit = _bugs(facts), worst_route(facts), _fit(facts)
    external = max(_outside(facts), seen.lag, seen.surge, seen.scan, seen.leak, _refused(facts) * 0.5)
    quiet_symptom = max(0.75 * _unexplained(facts, seen), 0.6 * seen.refusals, 0.6 * seen.slowness) * (
        1 - external
    )
    return for_cause(
        "bad_deploy",
        Sign(5.2 * fit * max(_bug(facts, seen), quiet_symptom), (items.started(deploy),)),
        Sign(0.4 * fit, tuple(map(items.raised, raised[:2]))),
        Sign(0.4 * seen.errors * fit, (items.erring(route),) if route else ()),
        Sign(-3.0 * external * (1 - _bug(facts, seen))),
        # Exceptions that follow from failing calls do not speak against the version.
        Sign(-2.5 * max([0.0, *map(signals.failing, facts.dependencies)])),
        route=_route(raised, route),
    )


def disk_full(facts: Facts, seen: Signals) -> Case:
    """Necessary: a write was refused for lack of space, or none is left."""
    told = families.with_family(facts.exceptions, families.DISK)
    left = facts.runtime.disk_free_pct
    empty = 0.0 if left is None else clamp((2.0 - left) / 1.5)
    route = worst_route(facts)
    return for_cause(
        "disk_full",
        Sign(5.5 * max(clamp(len(told)), 0.65 * empty), tuple(map(items.raised, told[:2]))),
        Sign(0.5 * empty, (items.disk(facts.runtime),)),
        Sign(0.3 * seen.errors, (items.erring(route),) if route else ()),
        route=_route(told, route),
    )


def auth_break(facts: Facts, seen: Signals) -> Case:
    """Necessary: 401 or 403 where they are not usual. Against: one client alone is refused."""
    told = families.with_family(facts.exceptions, families.REFUSED_CREDENTIALS)
    upstream, other = max(
        ((_refused_upstream(fact), fact) for fact in facts.dependencies),
        key=lambda entry: entry[0],
        default=(0.0, None),
    )
    refusing = [route for route in facts.routes if _refused_on(route) > 0]
    worst = sorted(refusing, key=lambda route: -_refused_on(route) * (route.sample_size.now or 1.0))[:2]
    alone = clamp(facts.traffic.top_client_share.rise() / 0.4)
    return for_cause(
        "auth_break",
        Sign(
            5.0 * max(_refused(facts), upstream),
            (*((items.failing(other),) if other and upstream else ()), *map(items.refusing, worst)),
        ),
        Sign(0.5 * clamp(len(told)), tuple(map(items.raised, told[:1]))),
        Sign(0.3 * clamp(len(refusing) - 1)),
        Sign(-3.0 * alone),
        Sign(-1.0 * seen.scan),
        route=worst[0].route if worst else None,
        dependency=other.label if other and upstream else None,
    )


def _bugs(facts: Facts) -> tuple[ExceptionFact, ...]:
    """Exceptions that speak of nothing outside, those not seen before first."""
    found = families.with_family(facts.exceptions, families.OTHER, families.SERVER_ERROR)
    return tuple(sorted(found, key=lambda fact: not fact.new))


def _bug(facts: Facts, seen: Signals) -> float:
    """New exceptions count in full where requests fail, a little where nobody notices."""
    count = sum(fact.count * (1.0 if fact.new else 0.25) for fact in _bugs(facts))
    noticed = 1.0 if seen.errors >= 0.3 or not facts.routes else 0.4 + 0.6 * seen.errors / 0.3
    return clamp(count / 3) * noticed


def _bare_errors(facts: Facts, seen: Signals) -> float:
    """Points for 5xx without an exception: plain where exceptions and outside calls are known."""
    codes: dict[str, float] = {}
    for route in facts.routes:
        for code, count in route.status.items():
            codes[code] = codes.get(code, 0.0) + count
    gateway = sum(codes.get(code, 0.0) for code in ("502", "503", "504", "507"))
    own = sum(count for code, count in codes.items() if code.startswith("5")) - gateway
    share = own / (own + gateway) if own + gateway else 0.5
    all_told = facts.dependencies and "exceptions" not in facts.missing
    return (3.6 if all_told else 2.2) * seen.errors * share


def _unexplained(facts: Facts, seen: Signals) -> float:
    return seen.errors * (1 - _outside(facts))


def _outside(facts: Facts) -> float:
    """How plainly something outside the code fails, is waited for, or is slow."""
    strengths = [0.0]
    for fact in facts.dependencies:
        strengths += [signals.failing(fact), signals.waiting(fact), 0.8 * signals.slow_calls(fact)]
    disk = families.with_family(facts.exceptions, families.DISK)
    return max(*strengths, clamp(len(disk)))


def _refused_on(route: RouteFact) -> float:
    """401 and 403 as a share of this route's requests, beyond the usual share of client errors."""
    refused = route.status.get("401", 0.0) + route.status.get("403", 0.0)
    total = sum(route.status.values())
    if not total:
        return 0.0
    usual = route.client_error_rate.usual or 0.0
    return clamp((refused / total - usual - 0.05) / 0.25) * clamp(refused / 4)


def _refused(facts: Facts) -> float:
    return max([0.0, *map(_refused_on, facts.routes)])


def _refused_upstream(fact: DependencyFact) -> float:
    """The outside service refuses our own credentials."""
    found = families.failures(fact)
    refused = found.get(families.REFUSED_CREDENTIALS, 0.0)
    return signals.failing(fact) * refused / sum(found.values()) if refused else 0.0


def _deploy(facts: Facts) -> MarkFact | None:
    """The first start of the newest version: its later restarts brought nothing new."""
    versions = [mark for mark in facts.marks if mark.version]
    if not versions:
        return None
    first = versions[0]
    for mark in versions[1:]:
        if mark.version != first.version:
            break
        first = mark
    return first


def _fit(facts: Facts) -> float:
    """How well the newest version's start precedes the trouble, 0 to 1.

    Failures come at some pace. A version that ran for many times the usual pause
    between them before the first one came is not what brought them.
    """
    deploy = _deploy(facts)
    if deploy is None:
        return 0.0
    # Without another version before it, it may as well be a restart.
    known = 1.0 if any(mark.version not in ("", deploy.version) for mark in facts.marks) else 0.6
    onset, pause = _onset(facts)
    if onset is None:
        return 0.5 * known if deploy.age_s <= max(60.0, facts.window_s or 0.0) else 0.0
    gap = deploy.age_s - onset
    if gap < -2.0:
        return 0.0
    restarted = facts.uptime_s is not None and facts.uptime_s < deploy.age_s + 3
    late = max(0.0, gap - (STARTING_S if restarted else SETTLING_S) - 2.5 * pause)
    return known * max(math.exp(-late / max(pause, 0.5)), 0.35 if gap <= 60 else 0.15 if gap <= 600 else 0.0)


def _onset(facts: Facts) -> tuple[float | None, float]:
    """Seconds since the trouble began and the pause between two failures, from exceptions or else alerts."""
    fresh = [fact for fact in _bugs(facts) if fact.new and fact.first_seen_s_ago is not None]
    if fresh:
        first = max(fact.first_seen_s_ago or 0.0 for fact in fresh)
        return first, first / sum(fact.count for fact in fresh)
    ages = [alert.age_s for alert in facts.alerts if alert.age_s is not None]
    # An alert comes a few seconds after its reason.
    return (max(ages) + 5.0, 1.0) if ages else (None, 0.0)


def _route(raised: tuple[ExceptionFact, ...], worst: RouteFact | None) -> str | None:
    told = next((fact.route for fact in raised if fact.route), None)
    return told or (worst.route if worst else None)
