"""What odd servers, apps and users may do: no request fails for it, and no judgement stops."""

import asyncio
import math
import random

import pytest
from fastapi import FastAPI
from sdk_asgi import Clock, request, scope
from starlette.routing import Router

from fastapi_alertengine import AlertConfig, Monitor, evidence, instrument


def instrumented(app=None, **options):
    app = app or FastAPI()
    monitor = instrument(app, **options)
    monitor.now = clock = Clock()
    monitor.awake()
    return app, monitor, clock


async def counted(app, clock):
    """Sample sizes by route, after the next judgement."""
    clock.t += 1.5
    report = (await request(app, "/health/alerts")).json()
    return {row["route"]: row["sample_size"] for row in report["routes"]}


@pytest.mark.parametrize(
    "more",
    [
        {"client": None},
        {"client": "unix"},
        {"client": [None]},
        {"client": ([1], 2)},
        {"client": 5},
        {"client": {"host": "x"}},
        {"root_path": "/pre"},
        {"query_string": b"\xff\xfe"},
        {"raw_path": None},
        {"headers": {"x": "a" * 200_000}},
    ],
)
async def test_odd_scopes_are_counted_like_any(more):
    app, monitor, clock = instrumented()
    app.get("/x")(lambda: 1)
    assert (await request(app, "/x", **more)).status == 200
    assert await counted(app, clock) == {"GET /x": 1}
    assert monitor.due > clock.t  # the second was judged


@pytest.mark.parametrize("status", [0, -1, 99999, "200", None, 200.5])
async def test_odd_statuses_reach_the_server_as_they_are(status):
    app, monitor, clock = instrumented()

    async def odd(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app.mount("/odd", odd)
    assert (await request(app, "/odd/")).status == status
    assert await counted(app, clock) == {"GET /odd": 1}
    assert not monitor.live


async def test_twenty_thousand_paths_in_a_second_take_one_entry_and_none_is_lost():
    app, monitor, clock = instrumented()
    kind, *_, parts = app.user_middleware[0]

    async def nothing(scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    front = kind(nothing, **parts)
    one = scope("/")
    for i in range(20_000):
        clock.t += 0.00005
        await front({**one, "path": f"/{i}"}, None, _ignore)
    clock.t += 1.5
    report = monitor.report()
    rows = [(row["route"], row["sample_size"]) for row in report["routes"]]
    assert rows == [("__unmatched__", 20_000)]
    assert report["metrics"]["sample_size"] == 20_000
    assert report["status"] == "ok"


async def _ignore(message):
    return


async def test_one_scope_used_for_several_calls_at_once():
    app, monitor, clock = instrumented()

    @app.get("/x")
    async def x():
        await asyncio.sleep(0)

    one = scope("/x")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    await asyncio.gather(*(app(one, receive, _ignore) for _ in range(3)))
    assert await counted(app, clock) == {"GET /x": 3}
    assert not monitor.live


async def test_more_body_after_the_end_counts_once():
    app, _, clock = instrumented()

    async def chatty(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x"})

    app.mount("/chatty", chatty)
    await request(app, "/chatty/")
    assert await counted(app, clock) == {"GET /chatty": 1}


async def test_streams_that_last_as_long_as_their_clients_stay_are_no_alarm():
    app, monitor, clock = instrumented()
    stay, leave = [], asyncio.Event()

    async def events(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        if stay:
            await leave.wait()
        clock.t += 0 if stay else 3
        await send({"type": "http.response.body", "body": b""})

    app.mount("/events", events)
    for _ in range(60):
        await request(app, "/events/")
    states = []
    for _ in range(40):
        stay.append(asyncio.create_task(request(app, "/events/")))
        await asyncio.sleep(0)
        clock.t += 1
        monitor.advance(clock.t)
        states.append(monitor.health.status)
    assert monitor.report()["metrics"]["in_flight"] == 40
    leave.set()
    await asyncio.gather(*stay)
    assert (await counted(app, clock))["GET /events"] >= 40
    assert {*states, monitor.health.status} == {"ok"}
    assert evidence.build(monitor, clock.t)["routes"][0]["status"] == {"200": 40}
    assert not monitor.late


async def test_apps_mounted_under_paths_that_no_route_explains_share_one_entry():
    inner = FastAPI()
    inner.get("/x")(lambda: 1)

    async def tenants(scope, receive, send):
        tenant = scope["path"].split("/")[2]
        mounted = {"root_path": f"/t/{tenant}", "app_root_path": ""}
        await inner({**scope, **mounted}, receive, send)

    app, _, clock = instrumented()
    app.mount("/t", tenants)
    for i in range(50):
        await request(app, f"/t/{i}/x")
    told = await counted(app, clock)
    assert sum(told.values()) == 50
    assert len(told) == 1
    assert not any(str(i) in label for label in told for i in range(10))


async def test_what_clients_make_up_is_not_kept():
    async def anything(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app, monitor, clock = instrumented(service="\udcff")
    inner = FastAPI()
    inner.mount("/any", anything)
    app.mount("/shops/{shop}", inner)
    for i in range(50):
        await request(app, f"/shops/{i}{'x' * 5000}/any/", method=f"{'M' * 5000}{i}")
    assert await counted(app, clock) == {"OTHER /shops/{shop}/any": 50}
    kept = [*monitor.routes._prefixes, *monitor.routes._mounted, *monitor.routes._known]
    assert sum(len(str(one)) for one in kept) < 200


@pytest.mark.parametrize("jump", [3.0, 700.0, 1e5, 1e8])
async def test_a_clock_that_jumps_forward(jump):
    app, monitor, clock = instrumented()
    app.get("/x")(lambda: 1)
    for _ in range(50):
        clock.t += 0.2
        await request(app, "/x")
    clock.t += jump
    await request(app, "/x")
    assert (await counted(app, clock))["GET /x"] == (51 if jump < 60 else 1)
    assert monitor.report()["status"] == "ok"


@pytest.mark.parametrize("duration", [math.nan, math.inf, -1.0, 0.0, 1e300])
def test_any_number_is_a_duration(duration):
    monitor = Monitor()
    monitor.record("/x", "GET", 200, duration)
    assert monitor.report()["metrics"]["sample_size"] == 1


def _bare(scope, receive, send):
    raise NotImplementedError


@pytest.mark.parametrize("thing", [None, object(), 42, "app", _bare])
def test_what_is_no_app_is_told_and_left_alone(thing, caplog):
    with pytest.warns(RuntimeWarning, match="no FastAPI or Starlette app"):
        assert isinstance(instrument(thing), Monitor)
    assert not caplog.records


async def test_a_bare_router_is_measured_and_known():
    router = Router()
    router.add_route("/x", lambda request: None)
    if not hasattr(router, "middleware_stack"):
        pytest.skip("this Starlette's router has no middleware")
    monitor = instrument(router)
    with pytest.warns(RuntimeWarning, match="already"):
        assert instrument(router) is monitor


@pytest.mark.parametrize(
    "wrong",
    [
        {"service": 5},
        {"secret": 5},
        {"secret": b"x"},
        {"push_url": 5},
        {"redis_url": 5},
        {"health_path": 5},
        {"config": [1]},
        {"config": {"service": 5}},
        {"config": AlertConfig(routes=None)},
        {"config": AlertConfig(routes={"GET /x": 5})},
        {"config": {"routes": 5}},
        {"config": {"max_routes": "many"}},
        {"config": {"max_routes": -1}},
        {"config": {"min_samples": 0}},
        {"config": {"service": {"p95_critical_ms": "fast"}}},
        {"config": {"routes": {"GET /x": {"error_rate_warning": True}}}},
    ],
)
async def test_wrong_settings_are_told_and_the_app_goes_on(wrong):
    app = FastAPI()
    app.get("/x")(lambda: 1)
    with pytest.warns(RuntimeWarning, match="ignored"):
        monitor = instrument(app, **wrong)
    assert (await request(app, "/x")).status == 200
    monitor.advance(monitor.due + 2)
    assert (await request(app, "/health/alerts")).json()["metrics"]["sample_size"] == 1


async def test_a_health_path_at_the_root_has_its_hooks_below_it():
    app, _, _ = instrumented(health_path="/", secret="secret")
    assert (await request(app, "/")).status == 200
    assert (await request(app, "/recovery")).status == 401


def test_polls_change_nothing():
    """Two monitors see the same; one is read all the time, the other once."""
    draw = random.Random(11)
    clock = Clock()
    often, once = Monitor(now=clock), Monitor(now=clock)
    for i in range(1500):
        clock.t += draw.expovariate(8)
        failed = 900 < i < 1100 and draw.random() < 0.2
        took = draw.lognormvariate(-3.5, 0.6) * (3 if i > 1300 else 1)
        for monitor in (often, once):
            monitor.record(f"/{i % 3}", "GET", 500 if failed else 200, took)
        if i % 3 == 0:
            often.report()
    told, other = often.report(), once.report()
    assert {**told, "timestamp": 0, "alerts": 0} == {**other, "timestamp": 0, "alerts": 0}
    assert [one["message"] for one in told["alerts"]] == [one["message"] for one in other["alerts"]]
