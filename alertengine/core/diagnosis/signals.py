"""How strongly each sign shows, from 0 (as usual) to 1 (beyond doubt).

A rule weighs these strengths; here stand the measures behind them. Figures that are
unknown give 0: what was not measured is no sign of anything.
"""

import math
from dataclasses import dataclass

from alertengine.core.diagnosis.facts import DependencyFact, Facts, RouteFact, RuntimeFact, TrafficFact
from alertengine.core.diagnosis.reading import Reading, clamp

USUAL_RPS = 1.5
"""So many requests a second are a habit that can be multiplied."""
FEW_SAMPLES = 30
"""One straggler alone makes the P95 of a few calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Strengths that concern the process as a whole."""

    lag: float
    cpu: float
    leak: float
    gc: float
    surge: float
    scan: float
    quiet: float
    crowded: float
    errors: float
    refusals: float
    slowness: float
    everywhere: float


def measure(facts: Facts) -> Signals:
    runtime, traffic = facts.runtime, facts.traffic
    return Signals(
        lag=lag(runtime),
        cpu=cpu(runtime, traffic),
        leak=leak(runtime, facts.window_s or 10.0),
        gc=clamp(runtime.gc_ms_per_s.rise() / 100),
        surge=surge(traffic),
        scan=scan(traffic),
        quiet=quiet(facts),
        crowded=clamp(math.log2(max(1.0, runtime.in_flight_max.factor(2))) / 2),
        errors=max([clamp((facts.error_rate or 0) / 0.1), *map(erring, facts.routes)]),
        refusals=max([clamp((facts.client_error_rate or 0) / 0.2), *map(refusing, facts.routes)]),
        slowness=max([0.0, *map(slow_route, facts.routes)]),
        everywhere=everywhere(facts) if runtime.lag_p95_ms.now is None else 0.0,
    )


def lag(runtime: RuntimeFact) -> float:
    """A healthy loop is late by a few milliseconds; 25 more is plain for everybody waiting on it."""
    typical = clamp((runtime.lag_p95_ms.rise(5) - 5) / 20)
    # Where it is always late, as on a busy machine, it varies by more.
    typical *= 1.0 if runtime.lag_p95_ms.usual is None else clamp((runtime.lag_p95_ms.factor(5) - 1.2) / 0.6)
    # One long stall shows in the maximum alone, and so does one moment of a busy machine.
    return max(typical, 0.6 * clamp((runtime.lag_max_ms.rise(20) - 80) / 250))


def cpu(runtime: RuntimeFact, traffic: TrafficFact) -> float:
    """Processor time beyond what today's traffic would usually need."""
    now = runtime.cpu.now
    if now is None:
        return 0.0
    busy = clamp((now - 0.3) / 0.4)
    if runtime.cpu.usual is None:
        return busy
    known = cpu_known(runtime, traffic)
    expected = runtime.cpu.usual * max(1.0, traffic.rps.factor(0.5))
    excess, times = now - expected, (now + 0.01) / (expected + 0.01)
    # Twice the usual is plain for a light process, a tenth of a core more for a heavy one.
    beyond = clamp(excess / 0.06) * max(clamp((times - 1.3) / 0.7), clamp((excess - 0.1) / 0.15))
    return known * beyond + (1 - known) * busy


def idle(runtime: RuntimeFact, traffic: TrafficFact) -> float:
    """Processor time is left, and not because others on the machine take what so many requests would need."""
    now = runtime.cpu.now
    if now is None:
        return 0.0
    needed = (runtime.cpu.usual or 0.0) * max(1.0, traffic.rps.factor(0.5))
    return clamp((0.5 - now) / 0.3) * clamp(((now + 0.02) / (needed + 0.02) - 0.5) / 0.3)


def cpu_known(runtime: RuntimeFact, traffic: TrafficFact) -> float:
    """How far it is known how much processor time such traffic needs."""
    return 0.0 if runtime.cpu.usual is None else habit(traffic)


HELD_BY_A_REQUEST_MB = 0.05


def leak(runtime: RuntimeFact, window_s: float) -> float:
    """Growth that goes on. Warming up takes a few tenths of a megabyte a second for a few seconds."""
    # Requests that pile up hold memory too, and give it back.
    piled_up = HELD_BY_A_REQUEST_MB * max(0.0, runtime.in_flight_max.rise())
    slope = clamp((runtime.rss_slope_mb_s.rise() - piled_up / max(1.0, window_s) - 0.4) / 0.8)
    own = Reading(None if (rss := runtime.rss_mb.now) is None else rss - piled_up, runtime.rss_mb.usual)
    grown = clamp((own.factor() - 1.15) / 0.5)
    return max(slope, 0.6 * grown) if slope or grown > 0.5 else 0.0


def surge(traffic: TrafficFact) -> float:
    """Requests to existing routes: twice the usual is a third of the way, four times all of it."""
    return habit(traffic) * clamp((math.log2(max(1.0, _arriving(traffic).factor(1))) - 0.5) / 1.5)


def habit(traffic: TrafficFact) -> float:
    """How far today's traffic can be compared with what was there before; traffic that only just began cannot.

    The farther the two are apart, the more there must have been. Where nothing is known, nothing speaks against it.
    """
    reading = _arriving(traffic)
    if reading.usual is None:
        return 1.0
    return clamp(reading.usual / (USUAL_RPS * max(1.0, reading.factor(1) / 8)))


def _arriving(traffic: TrafficFact) -> Reading:
    return traffic.matched if traffic.matched.now is not None else traffic.rps


def scan(traffic: TrafficFact) -> float:
    """Requests to paths that do not exist, as a share of all."""
    extra = traffic.unmatched.rise()
    if extra <= 0:
        return 0.0
    total = (traffic.matched.now or 0.0) + (traffic.unmatched.now or 0.0)
    return clamp(2.5 * extra / max(total, 0.1)) * clamp(extra / 1.5)


def quiet(facts: Facts) -> float:
    """Next to nothing arrives where usually something does."""
    traffic, reading = facts.traffic, facts.traffic.rps
    if reading.now is None or reading.usual is None or reading.usual < 0.3:
        return 0.0
    # A dozen requests that should have come since the last one are no pause.
    missed = clamp(((traffic.silent_s or 0.0) * reading.usual - 4) / 8) * clamp((traffic.silent_s or 0.0) - 2)
    # A report that is asked for seconds after the stop still counts what came before it.
    return max(missed, clamp((0.75 - reading.now / reading.usual) / 0.45))


def reliable(count: float | None, enough: float = 5) -> float:
    """Trust in a figure by its sample size; an unknown size is taken at its word."""
    return 1.0 if count is None else clamp(count / enough)


def slow(p50: Reading, p95: Reading, count: float | None) -> float:
    """Slower than usual: by its median, or by its P95 if that is made of more than one call."""
    several = 1.0 if count is None else clamp((count - 10) / FEW_SAMPLES)
    return max(_slower(p50) * reliable(count), 0.9 * several * _slower(p95))


def _slower(reading: Reading) -> float:
    """Twice the usual is half of the way, four times all of it; below 10 ms more nobody notices."""
    if reading.now is None:
        return 0.0
    if reading.usual is None:
        return 0.5 * clamp((reading.now - 500) / 1000)
    return clamp(math.log2(max(1.0, reading.factor(2))) / 2) * clamp((reading.rise() - 5) / 25)


def slow_route(fact: RouteFact) -> float:
    return slow(fact.p50_ms, fact.p95_ms, fact.sample_size.now)


def slow_calls(fact: DependencyFact) -> float:
    """The calls themselves are slow; time spent waiting for a connection is taken off."""
    if wait_included(fact):
        return 0.0
    typical = max(_slower(fact.p50_ms), _slow_by_itself(fact)) * reliable(fact.count.now)
    # A few slow calls do not explain waiting that is many times longer than they take.
    waited = fact.wait_p95_ms.rise()
    part = clamp(4 * fact.p95_ms.rise() / waited) if waited > 20 else 1.0
    return max(typical, part * slow(fact.p50_ms, fact.p95_ms, fact.count.now))


def by_lateness(fact: DependencyFact, runtime: RuntimeFact) -> float:
    """How far a loop that runs late explains that these calls take longer: by a few times its lateness at most."""
    late, longer = runtime.lag_p95_ms.now or 0.0, max(fact.p50_ms.rise(), 0.3 * fact.p95_ms.rise(), 1.0)
    return clamp(4 * late / longer)


def _slow_by_itself(fact: DependencyFact) -> float:
    """Nobody knows its usual, yet half of the queries that a request waits for do not take a tenth of a second."""
    if not fact.is_database or fact.p50_ms.usual is not None or not fact.p50_ms.now:
        return 0.0
    return 0.8 * clamp(math.log2(max(1.0, fact.p50_ms.now / 100)) / 2)


def wait_included(fact: DependencyFact) -> bool:
    """Some applications time the waiting as part of the call: then the call is its wait and a usual call."""
    wait, whole = fact.wait_p95_ms.now or 0.0, fact.p95_ms.now or 0.0
    return wait > 20 and wait <= whole <= wait + 1.2 * (fact.p95_ms.usual or 0.1 * wait) + 2


def crowded_beyond_traffic(facts: Facts) -> float:
    """More requests are inside at once than their number explains: each stays longer."""
    grown = facts.runtime.in_flight_max.factor(2) / max(1.0, _arriving(facts.traffic).factor(1))
    return clamp(math.log2(max(1.0, grown)) / 2)


def everywhere(facts: Facts) -> float:
    """Calls of unrelated kinds are slow together: sooner the process that calls than all of them."""
    by_kind: dict[bool, float] = {}
    for fact in facts.dependencies:
        by_kind[fact.is_database] = max(by_kind.get(fact.is_database, 0.0), slow_calls(fact))
    return min(by_kind.values()) if len(by_kind) == 2 else 0.0


def waiting(fact: DependencyFact) -> float:
    """Waiting for a connection, against how long a call usually takes."""
    worth_noticing = max(60.0, 1.5 * (fact.p95_ms.usual or 0.0))
    strength = clamp((fact.wait_p95_ms.rise() - 5) / worth_noticing) * reliable(fact.count.now, 3)
    if fact.p95_ms.usual is None and fact.p95_ms.now:
        # Whether the calls are slow is not known: only waiting far longer than they take speaks for itself.
        strength *= clamp((fact.wait_p95_ms.now or 0.0) / (8 * fact.p95_ms.now))
    return strength


def failing(fact: DependencyFact) -> float:
    """Calls that fail beyond the usual share; a fifth of all is beyond doubt."""
    excess = fact.fail_rate.rise()
    failed = (fact.fail_rate.now or 0.0) * (fact.count.now or 0.0)
    return clamp((excess - 0.01) / 0.2) * (clamp(failed / 3) if fact.count.now is not None else 1.0)


def vanished(fact: DependencyFact, pace: float) -> float:
    """Calls that no longer end: next to none are finished while others go on at `pace` of the usual."""
    now, usual = fact.count.now, fact.count.usual
    if now is None or usual is None or usual < 10:
        return 0.0
    return clamp(1 - 4 * now / max(1.0, usual * pace))


def erring(fact: RouteFact) -> float:
    return clamp((fact.error_rate.rise() - 0.005) / 0.1) * reliable(fact.sample_size.now)


def refusing(fact: RouteFact) -> float:
    return clamp((fact.client_error_rate.rise() - 0.02) / 0.25) * reliable(fact.sample_size.now)
