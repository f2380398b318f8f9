"""Applications and faults of other shapes than `synthetic_faults`: the blind check of the rules.

Other kinds and names, fewer and more requests, wider spreads, neighbours that fail a little on any
day, two symptoms at once, deploys close to faults of another origin, and evidence with parts missing.
"""

import random
from collections.abc import Callable
from typing import Any

from synthetic_evidence import Dep, Effect, Fault, Route, World, report

STORES = ("postgresql", "redis", "sqlite", "mongodb", "sql", "cache", "mysql")
NEIGHBOURS = ("http", "https", "rest", "soap", "s3", "smtp", "queue")
BUGS = (
    ("IndexError", "list index out of range"),
    ("UnboundLocalError", "cannot access local variable 'total'"),
    ("DoesNotExist", "Booking matching query does not exist."),
    ("AssertionError", ""),
    ("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
    ("RuntimeError", "dictionary changed size during iteration"),
    ("decimal.InvalidOperation", "[<class 'decimal.ConversionSyntax'>]"),
)


def make_world(rng: random.Random) -> World:
    """2 to 12 routes on 1 to 2 stores and 1 to 5 neighbours; some routes call nothing."""
    stores = rng.sample(("catalog", "wallet", "bookings", "fleet", "cache0"), rng.randint(1, 2))
    others = rng.sample(("tax", "courier", "maps", "ecocash", "identity", "weather"), rng.randint(1, 5))
    deps = [Dep(rng.choice(STORES), name, rng.uniform(1, 60), rng.uniform(0.1, 0.45)) for name in stores]
    deps += [
        Dep(rng.choice(NEIGHBOURS), name, rng.uniform(15, 500), rng.uniform(0.1, 0.45), rng.choice((0, 0, 0.01)))
        for name in others
    ]  # fmt: skip
    routes = [_route(rng, deps, number) for number in range(rng.randint(2, 12))]
    for dep in deps:
        if not any(dep in route.deps for route in routes):
            rng.choice(routes).deps.append(dep)
    window = rng.choice((6.0, 10.0, 20.0, 30.0))
    faulty = window * rng.uniform(0.45, 1.0)
    rate, cpu = 10 ** rng.uniform(0.6, 2.2), rng.uniform(0.01, 0.35)
    return World(rng=rng, rate=rate, cpu=cpu, routes=routes, deps=deps, window_s=window, faulty_s=faulty)


def _route(rng: random.Random, deps: list[Dep], number: int) -> Route:
    used = rng.sample(deps, min(len(deps), rng.choice((0, 1, 1, 2, 3))))
    path = f"{rng.choice(('GET', 'POST', 'PUT', 'DELETE'))} /v2/{rng.choice('abcdef')}{number}/{{id}}"
    return Route(path, rng.uniform(0.5, 6), rng.uniform(1, 60), used, rng.random() < 0.15)


def stores(world: World) -> list[Dep]:
    return [dep for dep in world.deps if dep.kind in STORES]


def neighbours(world: World) -> list[Dep]:
    return [dep for dep in world.deps if dep.kind not in STORES]


def one(world: World, rows: list[Dep]) -> list[Dep]:
    """The one with the most traffic, or another that is used at all."""
    return [world.rng.choice(rows)]


def raised(world: World, kind: str, message: str, **given: Any) -> dict[str, Any]:
    row = {
        "fingerprint": "0f",
        "type": kind,
        "message": message,
        "location": f"svc/{world.rng.choice('xyz')}.py:run:{world.rng.randint(9, 900)}",
        "route": None,
        "count": max(3, round(world.rate * world.faulty_s * 0.1)),
        "first_seen_s_ago": round(world.faulty_s * 0.97, 1),
        "new": True,
        "errno": None,
    }
    return row | given


def db_slow(world: World) -> Fault:
    rng = world.rng
    hit = one(world, stores(world))
    effect = Effect(
        slower=max(rng.uniform(4, 40), 60 / hit[0].base_ms),
        share=rng.choice((1.0, 0.8, 0.6)),
        wait_ms=rng.choice((0.0, 0.0, 80.0, 800.0)),
        fail=rng.choice((0.0, 0.0, 0.2)),
        code=rng.choice(("timeout", "statement timeout", "QueryCanceled")),
        takes_ms=3000.0,
    )
    return Fault(deps={dep.name: effect for dep in hit}, alerts=["latency_spike"])


def pool_exhaustion(world: World) -> Fault:
    rng = world.rng
    code = rng.choice(("pool_timeout", "PoolTimeout", "too many connections", "QueuePool limit"))
    effect = Effect(wait_ms=rng.uniform(250, 6000), share=rng.choice((1.0, 0.6)), fail=rng.choice((0.0, 0.4)),
                    code=code, takes_ms=0.3)  # fmt: skip
    said = "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00"
    told = [raised(world, "TimeoutError", said)] if effect.fail and rng.random() < 0.6 else []
    return Fault(deps={stores(world)[0].name: effect}, exceptions=told, alerts=["latency_spike"])


def _calls(
    codes: tuple[str, ...], lasting: tuple[float, float], told: tuple[str, str], anything: bool = False
) -> Callable[[World], Fault]:
    def make(world: World) -> Fault:
        rng = world.rng
        hit = one(world, world.deps if anything and rng.random() < 0.3 else neighbours(world))
        effect = Effect(
            fail=rng.choice((1.0, 0.8, 0.5, 0.35)), code=rng.choice(codes), takes_ms=rng.uniform(*lasting)
        )
        said = [raised(world, told[0], told[1].format(rng.choice(codes)))] if rng.random() < 0.5 else []
        return Fault(deps={dep.name: effect for dep in hit}, exceptions=said, alerts=["error_anomaly"])

    return make


upstream_5xx = _calls(
    ("500", "502", "503", "504", "ServerError"),
    (20, 2500),
    ("HTTPStatusError", "Server error '503 Service Unavailable'"),
)
upstream_throttle = _calls(
    ("429", "rate_limited", "TooManyRequests"),
    (2, 60),
    ("HTTPStatusError", "Client error '429 Too Many Requests'"),
)
upstream_down = _calls(
    ("connect", "ConnectionRefusedError", "ECONNREFUSED", "ConnectTimeout"),
    (0.3, 5),
    ("ConnectError", "All connection attempts failed"),
    True,
)
certificate_or_dns = _calls(
    ("SSLError", "gaierror", "certificate verify failed", "dns"),
    (0.5, 30),
    ("ConnectError", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"),
)
_hanging = _calls(
    ("timeout", "ReadTimeout", "TimeoutException", "deadline exceeded"), (700, 9000), ("ReadTimeout", "")
)


def upstream_timeout(world: World) -> Fault:
    """Calls that run out of time, or that only take much longer."""
    if world.rng.random() < 0.65:
        return _hanging(world)
    hit = one(world, neighbours(world))
    effect = Effect(slower=max(world.rng.uniform(6, 40), 800 / hit[0].base_ms))
    return Fault(deps={dep.name: effect for dep in hit}, alerts=["latency_spike"])


def failing_route(world: World, kind: str, message: str, **given: Any) -> Fault:
    rng = world.rng
    weights = sum(route.weight for route in world.routes)
    route = max(rng.sample(world.routes, 2), key=lambda one: one.weight)
    share = rng.choice((1.0, 0.6, 0.35))
    pace = world.rate * route.weight / weights * share
    row = raised(world, kind, message, count=max(3, round(pace * world.faulty_s)), route=route.name,
                 first_seen_s_ago=round(max(1.0, world.faulty_s - rng.expovariate(pace)), 1))  # fmt: skip
    return Fault(errors={route.name: (share, 500)}, exceptions=[row | given], alerts=["error_anomaly"])


def app_exception(world: World) -> Fault:
    return failing_route(world, *world.rng.choice(BUGS))


def bad_deploy(world: World) -> Fault:
    fault = failing_route(world, *world.rng.choice(BUGS))
    age = round(world.faulty_s + world.rng.uniform(0, 1.5), 1)
    fault.marks = [{"kind": "startup", "version": "2026.11.2", "age_s": age}]
    return fault


def disk_full(world: World) -> Fault:
    kind, message, errno = world.rng.choice(
        (
            ("OSError", "[Errno 28] No space left on device: '/data/x'", 28),
            ("sqlite3.OperationalError", "database or disk is full", None),
            ("DiskFull", "could not extend file: No space left on device", None),
        )
    )
    return failing_route(world, kind, message, errno=errno)


def memory_leak(world: World) -> Fault:
    rng = world.rng
    gc = rng.choice((0.0, 40.0, 250.0))
    return Fault(slope=rng.uniform(2, 30), gc_ms=gc, lag_ms=gc / 6, cpu=gc / 1200, alerts=["latency_spike"])


def late(world: World, **given: Any) -> Fault:
    """A loop that runs late; calls miss answers that came in time."""
    rng = world.rng
    missed = Effect(fail=rng.choice((0.0, 0.0, 0.2)), code="timeout")
    hit = {dep.name: missed for dep in neighbours(world)} if missed.fail else {}
    return Fault(lag_ms=rng.uniform(20, 400), deps=hit, alerts=["latency_spike"], **given)


def cpu_hog(world: World) -> Fault:
    return late(world, cpu=world.rng.uniform(0.4, 0.95))


def loop_block(world: World) -> Fault:
    return late(world)


def traffic_surge(world: World) -> Fault:
    rng = world.rng
    effect = Effect(
        slower=rng.uniform(1, 2.5),
        wait_ms=rng.choice((0.0, 100.0, 900.0)),
        fail=rng.choice((0.0, 0.0, 0.1)),
        code="pool_timeout",
        takes_ms=0.3,
    )
    return Fault(
        rate=rng.uniform(4, 15), deps={dep.name: effect for dep in stores(world)}, alerts=["latency_spike"]
    )


def scanner_4xx(world: World) -> Fault:
    rng = world.rng
    lag = rng.choice((0.0, 5.0))
    return Fault(
        unmatched=max(6.0, world.rate * rng.uniform(0.7, 6)), one_client=rng.random() < 0.5, lag_ms=lag
    )


def auth_break(world: World) -> Fault:
    rng = world.rng
    hit = rng.sample(world.routes, rng.randint(max(1, len(world.routes) // 2), len(world.routes)))
    told = [raised(world, "ExpiredSignatureError", "Signature has expired")] if rng.random() < 0.5 else []
    errors = {route.name: (rng.choice((1.0, 0.5)), 401) for route in hit}
    return Fault(errors=errors, exceptions=told, alerts=["client_error_anomaly"])


def no_traffic(world: World) -> Fault:
    return Fault(
        rate=world.rng.choice((0.0, 0.0, 0.05)), alerts=["traffic_drop"] if world.rng.random() < 0.7 else []
    )


MAKERS: dict[str, Callable[[World], Fault]] = {
    cause: globals()[cause]
    for cause in (
        "db_slow", "pool_exhaustion", "upstream_5xx", "upstream_timeout", "upstream_throttle", "upstream_down",
        "certificate_or_dns", "app_exception", "bad_deploy", "disk_full", "memory_leak", "cpu_hog", "loop_block",
        "traffic_surge", "scanner_4xx", "auth_break", "no_traffic",
    )
}  # fmt: skip

NEEDED = {
    "db_slow": {"timings"}, "pool_exhaustion": {"timings"}, "upstream_timeout": {"timings"},
    "memory_leak": {"runtime"}, "cpu_hog": {"runtime"}, "loop_block": {"runtime"},
    "traffic_surge": {"traffic"}, "scanner_4xx": {"traffic"}, "no_traffic": {"traffic"},
    "app_exception": {"exceptions", "marks"}, "bad_deploy": {"exceptions", "marks"},
    "disk_full": {"exceptions"}, "auth_break": {"routes"},
}  # fmt: skip


def distract(world: World, fault: Fault) -> None:
    """A deploy not long before, a known exception, a little more or less traffic."""
    rng = world.rng
    if not fault.marks and rng.random() < 0.5:
        age = world.faulty_s + rng.choice((20.0, 60.0, 400.0)) * rng.uniform(1, 3)
        fault.marks.append({"kind": "startup", "version": "2026.11.1", "age_s": round(age, 1)})
    if rng.random() < 0.3:
        fault.exceptions.append(
            raised(world, "StaleDataError", "", count=rng.randint(1, 4), new=False, first_seen_s_ago=2400.0)
        )
    if fault.rate == 1.0:
        fault.rate = rng.uniform(0.6, 1.6)


def without(told: dict[str, Any], part: str, rng: random.Random) -> None:
    """Take away a part of the evidence."""
    evidence = told["evidence"]
    rows = evidence.get("dependencies", [])
    if part == "timings":
        untimed = {"p50_ms": None, "p95_ms": None, "wait_p95_ms": None}
        evidence["dependencies"] = [row | untimed | {"usual": (row["usual"] or {}) | untimed} for row in rows]
    elif part == "one usual":
        rng.choice(rows)["usual"] = None
    elif part == "usual of routes":
        evidence["routes"] = [row | {"usual": None} for row in evidence["routes"]]
    elif part == "half of the runtime":
        gone = ("gc_ms_per_s", "in_flight", "in_flight_max", "loop_lag_max_ms")
        evidence["runtime"] = {key: value for key, value in evidence["runtime"].items() if key not in gone}
    else:
        evidence.pop(part)


PARTS = (
    "timings", "one usual", "usual of routes", "half of the runtime", "runtime", "traffic", "exceptions", "marks",
    "routes",
)  # fmt: skip


def scenario(cause: str, seed: int) -> dict[str, Any]:
    """One report of one such application in which `cause` is true; of every second one a part is missing."""
    world = make_world(random.Random(f"other {cause} {seed}"))
    fault = MAKERS[cause](world)
    distract(world, fault)
    told = report(world, fault)
    if world.rng.random() < 0.5:
        dispensable = [part for part in PARTS if part not in NEEDED.get(cause, set())]
        without(told, world.rng.choice(dispensable), world.rng)
    return told
