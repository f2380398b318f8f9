"""Rules about the process: memory, processor and event loop.

The three look alike from outside (everything is slow) and are told apart by what
goes with the lateness: growing memory with clean-up time, processor time, or neither.
"""

from alertengine.core.diagnosis import families, items, signals
from alertengine.core.diagnosis.facts import Facts, RouteFact
from alertengine.core.diagnosis.reading import clamp
from alertengine.core.diagnosis.rules_dependencies import slowest_route
from alertengine.core.diagnosis.signals import Signals
from alertengine.core.diagnosis.weighing import Case, Sign, for_cause, strongest_first


def memory_leak(facts: Facts, seen: Signals) -> Case:
    """Necessary: memory grows and goes on growing. Against: more requests at once need more memory."""
    told = families.with_family(facts.exceptions, families.MEMORY)
    runtime, out_of_it = facts.runtime, 0.9 * clamp(len(told))
    return for_cause(
        "memory_leak",
        Sign(
            4.2 * max(seen.leak, out_of_it),
            strongest_first(
                (seen.leak, (items.memory_growth(runtime),)), (out_of_it, tuple(map(items.raised, told[:1])))
            ),
        ),
        Sign(1.0 * seen.gc, (items.collecting(runtime),)),
        Sign(0.5 * clamp(runtime.rss_mb.factor() - 1), (items.memory(runtime),)),
        Sign(0.3 * seen.lag, (items.lag(runtime),)),
        Sign(-2.0 * seen.surge * (1 - seen.gc)),
    )


def cpu_hog(facts: Facts, seen: Signals) -> Case:
    """Necessary: processor time beyond what the traffic needs. Against: it goes into memory clean-up."""
    runtime, route = facts.runtime, slowest_route(facts)
    # Twice as much of next to nothing harms nobody, unless the loop runs late with it.
    felt = max(seen.lag, clamp(((runtime.cpu.now or 0.0) - 0.2) / 0.3))
    return for_cause(
        "cpu_hog",
        Sign(3.2 * seen.cpu * felt, (items.cpu(runtime),)),
        Sign(1.5 * seen.lag * seen.cpu, (items.lag(runtime),)),
        Sign(0.3 * seen.slowness, (items.slow_route(route),) if route else ()),
        Sign(-4.5 * max(seen.leak, seen.gc)),
        # What so many requests need is taken off already; some load costs more than its share.
        Sign(-1.0 * seen.surge),
        route=_only_slow(facts, route),
    )


def loop_block(facts: Facts, seen: Signals) -> Case:
    """Necessary: the event loop runs late. Against: the processor is busy, so it is not a call that waits."""
    runtime, route = facts.runtime, slowest_route(facts)
    cpu_known = runtime.cpu.now is not None
    return for_cause(
        "loop_block",
        Sign((4.6 if cpu_known else 3.2) * seen.lag, (items.lag(runtime),)),
        Sign(0.4 * (1 - seen.cpu) * cpu_known, (items.cpu(runtime),)),
        Sign(0.3 * seen.slowness, (items.slow_route(route),) if route else ()),
        Sign(-4.5 * seen.cpu),
        # A fifth of a core may be what such traffic needs, or may be the reason.
        Sign(
            -1.8 * (1 - signals.cpu_known(runtime, facts.traffic)) if (runtime.cpu.now or 0.0) > 0.2 else 0.0
        ),
        Sign(-4.5 * max(seen.leak, seen.gc)),
        Sign(-4.0 * _slower_than_late(facts)),
        Sign(-1.5 * seen.surge),
        route=_only_slow(facts, route),
    )


def _slower_than_late(facts: Facts) -> float:
    """Calls take longer by far more than the loop runs late, so the lateness is beside the point."""
    calls = facts.dependencies
    beyond = [signals.slow_calls(fact) * (1 - signals.by_lateness(fact, facts.runtime)) for fact in calls]
    return max([0.0, *beyond])


def _only_slow(facts: Facts, slowest: RouteFact | None) -> str | None:
    """A late loop slows every route; one that is slow alone is the one that does it."""
    slow = [route for route in facts.routes if signals.slow_route(route) >= 0.3]
    return slowest.route if slowest and slow == [slowest] else None
