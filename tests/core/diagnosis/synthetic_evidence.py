"""Made-up applications with made-up faults, sampled call by call, as the report an SDK would give.

Nothing here knows the rules: a world has routes that call dependencies, a fault changes
what calls and requests do for the last part of the window, and the figures are counted
from the samples. Names, rates, latencies, extent and distractors vary by the seed.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DATABASES = ("orders", "main", "users", "inventory", "ledger", "sessions")
SERVICES = ("psp", "rates", "mail", "search", "geo", "kyc", "fraud", "sms")
NOUNS = ("items", "orders", "account", "pay", "report", "quote", "users", "cart", "login", "export")
AT_MOST = 400
"""Requests sampled for a half; their number is scaled up to the true one."""


@dataclass
class Dep:
    kind: str
    name: str
    base_ms: float
    spread: float = 0.15
    fails: float = 0.0
    """Of its calls, on any day."""


@dataclass
class Route:
    name: str
    weight: float
    own_ms: float
    deps: list[Dep]
    swallows: bool = False
    """Goes on without the dependency's answer, as a page without its side column."""


@dataclass
class Effect:
    """What a fault does to the calls of one dependency."""

    slower: float = 1.0
    fail: float = 0.0
    code: str = ""
    takes_ms: float | None = None
    wait_ms: float = 0.0
    share: float = 1.0
    """Of the calls that feel it."""


@dataclass
class Fault:
    """What is different from the onset on."""

    deps: dict[str, Effect] = field(default_factory=dict)
    errors: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Route to the share of its requests that end so, and the status."""
    lag_ms: float = 0.0
    cpu: float = 0.0
    slope: float = 0.0
    gc_ms: float = 0.0
    rate: float = 1.0
    unmatched: float = 0.0
    one_client: bool = False
    exceptions: list[dict[str, Any]] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)


@dataclass
class World:
    rng: random.Random
    rate: float
    cpu: float
    routes: list[Route]
    deps: list[Dep]
    window_s: float
    faulty_s: float
    """How long the fault has lasted; the window's earlier part is healthy."""
    before: float = 1.0
    """The rate of earlier traffic, as a share of today's."""


@dataclass
class Tally:
    """The samples of one half."""

    seconds: float
    scale: float
    calls: dict[str, list[tuple[float, float, str]]] = field(default_factory=lambda: defaultdict(list))
    requests: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))


def make_world(rng: random.Random) -> World:
    """An application of 3 to 9 routes on 1 to 3 databases and 1 to 4 services."""
    database = rng.choice(("db", "db", "postgres", "mysql"))
    deps = [Dep(database, name, rng.uniform(2, 50)) for name in rng.sample(DATABASES, rng.randint(1, 3))]
    service = rng.choice(("http", "http", "grpc", "api"))
    deps += [Dep(service, name, rng.uniform(10, 150)) for name in rng.sample(SERVICES, rng.randint(1, 4))]
    routes = []
    for name in rng.sample(NOUNS, rng.randint(3, 9)):
        used = rng.sample(deps, 1 if rng.random() < 0.7 else 2)
        method = rng.choice(("GET", "GET", "POST"))
        routes.append(
            Route(f"{method} /{name}", rng.uniform(1, 5), rng.uniform(0.5, 40), used, rng.random() < 0.2)
        )
    for dep in deps:
        if not any(dep in route.deps for route in routes):
            rng.choice(routes).deps.append(dep)
    window = rng.choice((8.0, 10.0, 10.0, 15.0))
    return World(
        rng=rng,
        rate=10 ** rng.uniform(0.5, 2.5),
        cpu=rng.uniform(0.02, 0.3),
        routes=routes,
        deps=deps,
        window_s=window,
        faulty_s=window * rng.uniform(0.5, 1.0),
    )


def sample(world: World, fault: Fault, seconds: float) -> Tally:
    """`seconds` of traffic under `fault`."""
    rng = world.rng
    true = world.rate * fault.rate * seconds * rng.uniform(0.85, 1.15)
    count = min(AT_MOST, round(true))
    tally = Tally(seconds, true / count if count else 1.0)
    weights = [route.weight for route in world.routes]
    for route in rng.choices(world.routes, weights, k=count):
        tally.requests[route.name].append(request(world, route, fault, tally))
    return tally


def request(world: World, route: Route, fault: Fault, tally: Tally) -> tuple[float, int]:
    rng = world.rng
    share, status = fault.errors.get(route.name, (0.0, 0))
    if rng.random() < share:
        return route.own_ms * rng.uniform(0.2, 1.0), status
    took, answer = route.own_ms * rng.lognormvariate(0, 0.2) + lateness(rng, fault), 200
    for dep in route.deps:
        wait, ran, code = call(rng, dep, fault)
        tally.calls[dep.name].append((wait, ran, code))
        took += wait + ran
        if code and not route.swallows:
            return took, {"429": 429}.get(code, 504 if "imeout" in code else 502)
    return took, answer


def call(rng: random.Random, dep: Dep, fault: Fault) -> tuple[float, float, str]:
    effect = fault.deps.get(dep.name)
    straggles = rng.random() < 0.004
    ran = dep.base_ms * rng.lognormvariate(0, dep.spread) * (6 if straggles else 1) + lateness(rng, fault)
    if dep.fails and rng.random() < dep.fails:
        return 0.0, ran, "500"
    if effect is None or rng.random() > effect.share:
        return 0.0, ran, ""
    wait = effect.wait_ms * rng.uniform(0.2, 1.2)
    if rng.random() < effect.fail:
        return wait, effect.takes_ms if effect.takes_ms is not None else ran, effect.code
    return wait, ran * effect.slower * rng.uniform(0.8, 1.3), ""


def lateness(rng: random.Random, fault: Fault) -> float:
    return rng.expovariate(1 / fault.lag_ms) if fault.lag_ms else 0.0


def joined(first: Tally, second: Tally) -> Tally:
    """Both, as one half; where the scales differ the denser one is thinned by repeating the other."""
    both = Tally(first.seconds + second.seconds, max(first.scale, second.scale))
    rng = random.Random(0)
    for part in (first, second):
        keep = part.scale / both.scale
        for mine, theirs in ((both.calls, part.calls), (both.requests, part.requests)):
            for name, rows in theirs.items():
                mine[name] += [row for row in rows if rng.random() < keep]
    return both


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0


def dependency_figures(tally: Tally, name: str) -> dict[str, Any]:
    calls = tally.calls.get(name, [])
    failed = [code for _, _, code in calls if code]
    return {
        "count": round(len(calls) * tally.scale),
        "fail_rate": round(len(failed) / len(calls), 4) if calls else 0.0,
        "codes": {code: round(n * tally.scale) for code, n in Counter(failed).items()},
        "p50_ms": quantile([ran for _, ran, _ in calls], 0.5),
        "p95_ms": quantile([ran for _, ran, _ in calls], 0.95),
        "wait_p95_ms": quantile([wait for wait, _, _ in calls], 0.95),
    }


def route_figures(tally: Tally, name: str) -> dict[str, Any]:
    requests = tally.requests.get(name, [])
    statuses = Counter(str(status) for _, status in requests)
    total = max(1, len(requests))
    return {
        "sample_size": round(len(requests) * tally.scale),
        "p50_ms": quantile([took for took, _ in requests], 0.5),
        "p95_ms": quantile([took for took, _ in requests], 0.95),
        "error_rate": round(sum(n for code, n in statuses.items() if code >= "500") / total, 4),
        "client_error_rate": round(
            sum(n for code, n in statuses.items() if "400" <= code < "500") / total, 4
        ),
        "status": {code: max(1, round(n * tally.scale)) for code, n in statuses.items()},
    }


def runtime_figures(world: World, fault: Fault, tally: Tally, share: float) -> dict[str, Any]:
    rng = world.rng
    traffic = 1 + share * (fault.rate - 1) if share else max(0.05, fault.rate)
    work = world.cpu * traffic * rng.uniform(0.85, 1.2)
    longest = [took for rows in tally.requests.values() for took, _ in rows] or [0.0]
    busy = sum(longest) * tally.scale / 1000 / tally.seconds
    return {
        "loop_lag_p95_ms": round(rng.uniform(1, 6) + fault.lag_ms * 2 * min(1.0, share * 1.5), 2),
        "loop_lag_max_ms": round(rng.uniform(3, 12) * (6 if rng.random() < 0.1 else 1) + fault.lag_ms * 4, 2),
        "cpu": round(min(1.1, work + fault.cpu * share), 3),
        "rss_mb": round(120 + fault.slope * world.window_s * share, 1),
        "rss_slope_mb_s": round(rng.uniform(-0.02, 0.3) + fault.slope * share, 3),
        "gc_ms_per_s": round(rng.uniform(0.1, 1.5) + fault.gc_ms * share, 2),
        "in_flight": round(busy),
        "in_flight_max": round(busy * 2 + rng.randint(1, 4)),
    }


def traffic_figures(world: World, fault: Fault, tally: Tally, share: float) -> dict[str, Any]:
    matched = sum(map(len, tally.requests.values())) * tally.scale / tally.seconds
    unmatched = fault.unmatched * share + world.rate * 0.01 * world.rng.random()
    total = matched + unmatched
    top = fault.unmatched * share / total if fault.one_client and total else world.rng.uniform(0.01, 0.15)
    return {
        "rps": round(total, 2),
        "rps_matched": round(matched, 2),
        "rps_unmatched": round(unmatched, 2),
        "clients": world.rng.randint(20, 200),
        "top_client_share": round(top, 3),
    }


def report(world: World, fault: Fault) -> dict[str, Any]:
    """The health report with evidence, some seconds into the fault."""
    share = world.faulty_s / world.window_s
    quiet = Fault(rate=world.before)
    before = sample(world, quiet, 30.0)
    healthy = sample(world, Fault(), world.window_s - world.faulty_s)
    now = joined(healthy, sample(world, fault, world.faulty_s))
    return {
        "status": "critical",
        "alerts": [{"type": kind, "severity": "critical", "route": None} for kind in fault.alerts],
        "metrics": {},
        "evidence": {
            "window_s": world.window_s,
            "baseline_window_s": 30.0,
            "exceptions": fault.exceptions,
            "dependencies": [
                {"kind": dep.kind, "name": dep.name, **dependency_figures(now, dep.name),
                 "usual": dependency_figures(before, dep.name)}
                for dep in world.deps
            ],
            "runtime": {**runtime_figures(world, fault, now, share), "disk_free_pct": 31.0,
                        "usual": runtime_figures(world, quiet, before, 0.0)},
            "traffic": {**traffic_figures(world, fault, now, share),
                        "usual": traffic_figures(world, quiet, before, 0.0)},
            "routes": [
                {"route": route.name, **route_figures(now, route.name), "usual": route_figures(before, route.name)}
                for route in world.routes
            ],
            "marks": [{"kind": "startup", "version": "1.0.0", "age_s": 4000.0}, *fault.marks],
        },
    }  # fmt: skip
