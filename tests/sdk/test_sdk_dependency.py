"""Calls to others: timed, failed, waited for; plain, async, and through the ready hooks."""

import asyncio
import math
import random

import pytest

from fastapi_alertengine import Monitor
from fastapi_alertengine.dependency import Dependencies, Done, failure_code
from fastapi_alertengine.hooks import asyncpg_timer, time_httpx, time_sqlalchemy


@pytest.fixture
def monitor():
    return Monitor(now=lambda: 5.0)


def figures(monitor):
    monitor.calls.collect(5.0)
    return monitor.calls.told(0.0, 5.0)


async def test_plain_and_async_calls(monitor):
    with monitor.dependency("db", "orders") as call:
        call.waited(0.25)
    async with monitor.dependency("db", "orders") as call:
        call.fail(503)
    with pytest.raises(TimeoutError):
        async with monitor.dependency("db", "orders"):
            raise TimeoutError
    (row,) = figures(monitor)
    assert (row["kind"], row["name"], row["count"]) == ("db", "orders", 3)
    assert row["codes"] == {"503": 1, "timeout": 1}
    assert row["fail_rate"] == pytest.approx(0.6667)
    assert row["wait_p95_ms"] == pytest.approx(250, rel=0.01)


async def test_a_cancelled_call_is_not_a_failure(monitor):
    with pytest.raises(asyncio.CancelledError):
        async with monitor.dependency("db", "orders"):
            raise asyncio.CancelledError
    assert figures(monitor)[0]["fail_rate"] == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "connect"),
        (type("PoolTimeout", (Exception,), {})(), "pool_timeout"),
        (ValueError(), "ValueError"),
    ],
)
def test_failures_have_short_names(error, code):
    assert failure_code(error) == code


def test_dependencies_are_bounded(monitor):
    for i in range(200):
        with monitor.dependency("http", f"host{i}"):
            pass
    monitor.calls.collect(5.0)
    assert len(monitor.calls._kept) <= 51
    assert len(figures(monitor)) == 20


def test_many_calls_take_no_more_room_than_some(monitor):
    draw = random.Random(3)

    def room(calls):
        kept = Dependencies()
        for second in range(1, 11):
            for _ in range(calls):
                kept.pending.append(Done("db", "orders", draw.lognormvariate(-5, 0.5), 0.0, "timeout"))
            kept.collect(float(second))
        (row,) = kept.told(0.0, 10.0)
        assert (row["count"], row["codes"]) == (10 * calls, {"timeout": 10 * calls})
        assert row["p50_ms"] == pytest.approx(1000 * math.exp(-5), rel=0.1)
        return sum(len(one.ran) + len(one.waited) for one in kept._kept["db", "orders"].new)

    assert room(10_000) < 4 * room(200)


def run(kept, seconds, failing=False, onset=None):
    for _ in range(seconds):
        kept.now += 1.0
        for _ in range(10):
            kept.pending.append(Done("db", "orders", 0.01, 0.0, "timeout" if failing else None))
        kept.collect(kept.now, onset)


def test_what_failed_in_one_outage_is_not_usual_in_the_next():
    kept = Dependencies()
    kept.now = 0.0
    run(kept, 200)
    for _ in range(3):
        onset = kept.now
        run(kept, 8, failing=True)  # not noticed yet
        run(kept, 60, failing=True, onset=onset)
        (row,) = kept.told(max(onset, kept.now - 10), kept.now)
        assert (row["fail_rate"], row["usual"]["fail_rate"], row["usual"]["count"]) == (1.0, 0.0, 1200)
        run(kept, 12)


def test_a_young_process_knows_what_was_usual_before_its_first_alarm():
    kept = Dependencies()
    kept.now = 0.0
    run(kept, 8)
    run(kept, 60, failing=True, onset=8.0)
    (row,) = kept.told(kept.now - 10, kept.now)
    assert (row["usual"]["fail_rate"], row["usual"]["count"]) == (0.0, 60)
    assert len(kept._kept["db", "orders"].new) <= 21
    run(kept, 400)
    assert len(kept._kept["db", "orders"].usual) == 120


async def test_httpx_clients_are_timed(monitor):
    httpx = pytest.importorskip("httpx2")

    def answer(request):
        if request.url.path == "/slow":
            raise httpx.ReadTimeout("too slow", request=request)
        return httpx.Response(int(request.url.path[1:]))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        time_httpx(monitor, client)
        for code in (200, 404, 429, 503):
            await client.get(f"http://psp.test/{code}")
        with pytest.raises(httpx.ReadTimeout):
            await client.get("http://psp.test/slow")
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        time_httpx(monitor, client, name="rates")
        client.get("http://rates.test/200")
    rows = {row["name"]: row for row in figures(monitor)}
    assert rows["psp.test"]["codes"] == {"429": 1, "503": 1, "timeout": 1}
    assert rows["psp.test"]["count"] == 5
    assert rows["rates"]["count"] == 1


def test_sqlalchemy_engines_are_timed(monitor):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://")
    time_sqlalchemy(monitor, engine, name="orders")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select 1"))
        with pytest.raises(sqlalchemy.exc.OperationalError):
            connection.execute(sqlalchemy.text("select nothing from nowhere"))
    engine.dispose()
    (row,) = figures(monitor)
    assert (row["kind"], row["name"], row["count"]) == ("db", "orders", 2)
    assert row["codes"] == {"OperationalError": 1}


def test_the_wait_for_a_pooled_connection_is_told(monitor):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    options = {
        "poolclass": sqlalchemy.pool.QueuePool,
        "pool_size": 1,
        "max_overflow": 0,
        "pool_timeout": 0.01,
    }
    engine = sqlalchemy.create_engine("sqlite://", **options)
    time_sqlalchemy(monitor, engine)
    engine.dispose()  # as after a fork: the engine has another pool from here on
    with engine.connect(), pytest.raises(sqlalchemy.exc.TimeoutError):
        engine.connect()
    engine.dispose()
    (row,) = figures(monitor)
    assert row["codes"] == {"timeout": 1}
    assert row["wait_p95_ms"] >= 9


async def test_asyncpg_connections_are_timed(monitor):
    class Connection:
        def add_query_logger(self, log):
            self.log = log

    class Query:
        elapsed, exception = 0.5, None

    connection = Connection()
    await asyncpg_timer(monitor, "orders")(connection)
    connection.log(Query)
    (row,) = figures(monitor)
    assert row["p50_ms"] == pytest.approx(500, rel=0.01)
