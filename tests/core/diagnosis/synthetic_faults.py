"""The faults of the made-up applications, one maker for each cause, and what distracts from them."""

import random
from collections.abc import Callable
from typing import Any

from synthetic_evidence import Dep, Effect, Fault, World, make_world, report

DATABASE_KINDS = ("db", "postgres", "mysql")
BUGS = (
    "KeyError",
    "ValueError",
    "TypeError",
    "AttributeError",
    "ZeroDivisionError",
    "ValidationError",
    "InvoiceError",
)


def databases(world: World) -> list[Dep]:
    return [dep for dep in world.deps if dep.kind in DATABASE_KINDS]


def used_services(world: World) -> list[Dep]:
    return [dep for dep in world.deps if dep.kind not in DATABASE_KINDS]


def some(rng: random.Random, rows: list[Any]) -> list[Any]:
    return rng.sample(rows, rng.randint(1, len(rows)))


def db_slow(world: World) -> Fault:
    rng = world.rng
    slower = rng.uniform(5, 25) * max(1.0, 12 / min(dep.base_ms for dep in databases(world)))
    share = rng.choice((1.0, 1.0, 0.6))
    wait = rng.choice((0.0, 0.0, 300.0, 1200.0))
    hit = some(rng, databases(world))
    return Fault(deps={dep.name: Effect(slower=slower, share=share, wait_ms=wait) for dep in hit})


def pool_exhaustion(world: World) -> Fault:
    rng = world.rng
    wait, share = rng.uniform(300, 4000), rng.choice((1.0, 1.0, 0.5))
    fail = rng.choice((0.0, 0.0, 0.3))
    effect = Effect(wait_ms=wait, share=share, fail=fail, code="pool_timeout", takes_ms=0.5)
    hit = databases(world) if rng.random() < 0.6 else some(rng, databases(world))
    return Fault(deps={dep.name: effect for dep in hit})


def upstream(
    code: Callable[[random.Random], str], takes: Callable[[random.Random], float | None]
) -> Callable[[World], Fault]:
    def make(world: World) -> Fault:
        rng = world.rng
        hit = some(rng, used_services(world))[:2]
        effect = Effect(fail=rng.choice((1.0, 0.9, 0.6, 0.4)), code=code(rng), takes_ms=takes(rng))
        return Fault(deps={dep.name: effect for dep in hit})

    return make


upstream_5xx = upstream(lambda rng: rng.choice(("500", "502", "503")), lambda rng: rng.choice((None, 300.0)))
upstream_timeout = upstream(
    lambda rng: rng.choice(("timeout", "ReadTimeout")), lambda rng: rng.uniform(800, 5000)
)
upstream_throttle = upstream(lambda rng: "429", lambda rng: rng.uniform(2, 20))
upstream_down = upstream(
    lambda rng: rng.choice(("connect", "ConnectError", "refused")), lambda rng: rng.uniform(0.5, 3)
)
certificate_or_dns = upstream(
    lambda rng: rng.choice(("SSLCertVerificationError", "gaierror", "tls", "dns")),
    lambda rng: rng.uniform(0.5, 9),
)


def exception(world: World, **given: Any) -> dict[str, Any]:
    row = {
        "fingerprint": "a1b2c3d4",
        "type": world.rng.choice(BUGS),
        "message": world.rng.choice(
            ("'total_cents'", "invalid literal for int(): 'N/A'", "division by zero", "")
        ),
        "location": f"app/{world.rng.choice(('pricing', 'views', 'cart'))}.py:handle:{world.rng.randint(5, 400)}",
        "route": None,
        "count": 10,
        "first_seen_s_ago": round(world.faulty_s, 1),
        "new": True,
        "errno": None,
    }
    return row | given


def failing_code(world: World, **given: Any) -> Fault:
    """One or two routes raise, always or now and then; the first failure comes as soon as such a request does."""
    rng = world.rng
    weight = sum(route.weight for route in world.routes)
    errors, exceptions = {}, []
    for route in some(rng, world.routes)[:2]:
        share = rng.choice((1.0, 1.0, 0.5, 0.3))
        pace = world.rate * route.weight / weight * share
        count = max(2, round(pace * world.faulty_s))
        first = max(1.0, world.faulty_s - rng.expovariate(pace))
        errors[route.name] = (share, 500)
        told = exception(world, count=count, first_seen_s_ago=round(first, 1), route=route.name)
        exceptions.append(told | given)
    return Fault(errors=errors, exceptions=exceptions)


def app_exception(world: World) -> Fault:
    return failing_code(world)


def bad_deploy(world: World) -> Fault:
    fault = failing_code(world)
    fault.marks = [
        {"kind": "startup", "version": "1.1.0", "age_s": round(world.faulty_s + world.rng.uniform(0, 2), 1)}
    ]
    return fault


def disk_full(world: World) -> Fault:
    kind, message, errno = world.rng.choice(
        (
            ("OSError", "[Errno 28] No space left on device", 28),
            ("OperationalError", "database or disk is full", None),
            ("OSError", "[Errno 122] Disk quota exceeded", 122),
        )
    )
    return failing_code(world, type=kind, message=message, errno=errno)


def memory_leak(world: World) -> Fault:
    rng = world.rng
    gc, lag = rng.choice(((0.0, 0.0), (60.0, 10.0), (400.0, 80.0)))
    return Fault(slope=rng.uniform(2.5, 25), gc_ms=gc, lag_ms=lag, cpu=gc / 1500)


def cpu_hog(world: World) -> Fault:
    busy = world.rng.uniform(0.3, 0.9) + world.cpu * 0.5
    return Fault(lag_ms=world.rng.uniform(15, 200), cpu=busy)


def loop_block(world: World) -> Fault:
    return Fault(lag_ms=world.rng.uniform(15, 300), cpu=world.rng.uniform(-0.01, 0.01))


def traffic_surge(world: World) -> Fault:
    rng = world.rng
    rate = rng.uniform(4, 12)
    wait = rng.choice((0.0, 40.0, 400.0))
    hit = {dep.name: Effect(slower=rng.uniform(1, 2), wait_ms=wait) for dep in databases(world)}
    return Fault(rate=rate, deps=hit, lag_ms=rng.choice((0.0, 0.0, 8.0)))


def scanner_4xx(world: World) -> Fault:
    rng = world.rng
    unmatched = max(8.0, world.rate * rng.uniform(0.8, 4))
    return Fault(unmatched=unmatched, one_client=rng.random() < 0.7, lag_ms=rng.choice((0.0, 0.0, 4.0)))


def auth_break(world: World) -> Fault:
    rng = world.rng
    hit = some(rng, world.routes)
    return Fault(errors={route.name: (rng.choice((1.0, 0.7)), rng.choice((401, 403))) for route in hit})


def no_traffic(world: World) -> Fault:
    return Fault(rate=0.0 if world.rng.random() < 0.7 else 0.04, alerts=["traffic_drop"])


MAKERS: dict[str, Callable[[World], Fault]] = {
    maker: globals()[maker]
    for maker in (
        "db_slow", "pool_exhaustion", "upstream_5xx", "upstream_timeout", "upstream_throttle", "upstream_down",
        "certificate_or_dns", "app_exception", "bad_deploy", "disk_full", "memory_leak", "cpu_hog", "loop_block",
        "traffic_surge", "scanner_4xx", "auth_break", "no_traffic",
    )
}  # fmt: skip


def distract(world: World, fault: Fault) -> None:
    """Things that are true and beside the point."""
    rng = world.rng
    if not fault.marks and rng.random() < 0.5:
        age = world.faulty_s + 10 ** rng.uniform(0.7, 2.9)
        fault.marks.append({"kind": "startup", "version": "1.0.9", "age_s": round(age, 1)})
    if rng.random() < 0.3:
        known = exception(
            world, type="LegacyWarning", count=rng.randint(1, 3), new=False, first_seen_s_ago=3000.0
        )
        fault.exceptions.append(known)
    if fault.rate == 1.0 and rng.random() < 0.3:
        fault.rate = rng.uniform(0.7, 1.35)


def weaken(world: World, told: dict[str, Any], optional: tuple[str, ...]) -> None:
    """Take away a part that is not the one that matters, or a usual value."""
    rng, evidence = world.rng, told["evidence"]
    if rng.random() < 0.2:
        evidence.pop(rng.choice(optional), None)
    if rng.random() < 0.1 and evidence.get("dependencies"):
        rng.choice(evidence["dependencies"])["usual"] = None


OPTIONAL = {
    "upstream_5xx": ("runtime", "marks", "traffic"),
    "upstream_timeout": ("marks", "traffic"),
    "upstream_throttle": ("runtime", "marks"),
    "upstream_down": ("runtime", "marks", "traffic"),
    "certificate_or_dns": ("runtime", "marks", "traffic"),
    "bad_deploy": ("runtime", "traffic"),
    "app_exception": ("runtime", "traffic"),
    "disk_full": ("runtime", "traffic", "marks", "dependencies"),
}


def scenario(cause: str, seed: int, *, begins: bool = False) -> dict[str, Any]:
    """One report of one made-up application in which `cause` is true. `begins`: its traffic begins with the fault."""
    world = make_world(random.Random(f"{cause} {seed}"))
    if begins:
        world.before, world.faulty_s = world.rng.choice((0.0, 0.01, 0.03)), world.window_s
    fault = MAKERS[cause](world)
    distract(world, fault)
    told = report(world, fault)
    weaken(world, told, OPTIONAL.get(cause, ("marks", "exceptions")))
    return told
