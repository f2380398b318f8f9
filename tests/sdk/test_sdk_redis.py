"""A real Redis, killed, stopped and started again: no request waits, and the report tells."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time

import pytest
from fastapi import FastAPI
from sdk_asgi import request
from starlette.responses import PlainTextResponse

from fastapi_alertengine import Monitor, instrument
from fastapi_alertengine.breaker import REST_S, Breaker
from fastapi_alertengine.redis_storage import RedisStream

pytestmark = pytest.mark.xdist_group("redis")
SLOW_S = 0.25  # who waits for a Redis that hangs waits 0.3 s here, each time; a busy machine, once or twice
needs_redis = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="no redis-server here (apt-get install redis-server)"
)


def test_breaker_opens_rests_and_tries_once():
    breaker = Breaker()
    for _ in range(3):
        assert breaker.allows(0.0)
        breaker.failed(0.0)
    assert breaker.state == "open"
    assert not breaker.allows(REST_S - 0.1)
    assert breaker.allows(REST_S)
    assert breaker.state == "half_open"
    breaker.failed(REST_S)
    assert not breaker.allows(REST_S + 0.1)
    assert breaker.allows(2 * REST_S)
    breaker.succeeded()
    assert breaker.state == "closed"


class Server:
    """A redis-server of this test alone."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        argv = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            self.folder,
        ]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        until(self.answers)

    def answers(self):
        with socket.socket() as probe:
            return not probe.connect_ex(("127.0.0.1", self.port))

    def kill(self):
        self.process.kill()
        self.process.wait()


class Pair:
    """Two workers on two hosts, in effect: each with its own connection and thread."""

    def __init__(self, url):
        self.workers = [Monitor(storage=RedisStream(url, "shop")) for _ in range(2)]
        self.slow = self.turns = 0

    def turn(self):
        """One exchange of each, as the ticker makes them, timed."""
        self.turns += 1
        for monitor in self.workers:
            monitor.record("/x", "GET", 200, 0.01)
            began = time.perf_counter()
            monitor.advance(max(monitor.now(), monitor.due))
            self.slow += time.perf_counter() - began > SLOW_S

    def states(self):
        return {monitor.storage.told()["state"] for monitor in self.workers}

    def agree(self):
        self.turn()
        return self.states() == {"ok"} and all(monitor.storage.workers == 2 for monitor in self.workers)

    def alone(self):
        self.turn()
        return self.states() == {"degraded"}

    def close(self):
        for monitor in self.workers:
            monitor.storage.close()


def until(holds, seconds=20.0):
    """Poll for a real server's sake; nothing else in this suite waits."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def server(tmp_path, monkeypatch):
    pytest.importorskip("redis")
    monkeypatch.setattr("fastapi_alertengine.breaker.REST_S", 0.3)
    monkeypatch.setattr("fastapi_alertengine.redis_storage.TIMEOUT_S", 0.3)
    server = Server(str(tmp_path))
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.kill()


@needs_redis
@pytest.mark.slow
def test_two_hosts_agree(server):
    import redis

    pair = Pair(server.url)
    other = Monitor(storage=RedisStream(server.url, "another service"))

    def agree():
        other.record("/another", "GET", 500, 0.01)
        other.advance(max(other.now(), other.due))
        return other.storage.told()["state"] == "ok" and pair.agree()

    until(agree)
    client = redis.Redis.from_url(server.url)
    for _ in range(3):  # connections are lost, and taken up again where they were
        assert client.client_kill_filter(_type="normal", skipme=True)
        until(lambda: pair.agree() and len(client.client_list(_type="normal")) >= 3)
    client.close()
    assert {row["route"] for one in pair.workers for row in one.report()["routes"]} == {"GET /x"}
    sizes = [monitor.report()["metrics"]["sample_size"] for monitor in pair.workers]
    assert 2 < min(sizes) <= max(sizes) <= 2 * pair.turns  # nothing counted twice
    assert pair.workers[0].report()["storage"]["mode"] == "redis"
    other.storage.close()
    pair.close()
    until(pair.agree)  # the apps were started once more
    pair.close()


@needs_redis
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_a_redis_that_is_gone_or_hangs_is_told_and_taken_up_again(server, fault):
    pair = Pair(server.url)
    until(pair.agree)
    server.kill() if fault == "killed" else server.process.send_signal(signal.SIGSTOP)
    until(pair.alone)
    for monitor in pair.workers:
        before = monitor.report()["metrics"]["sample_size"]
        monitor.record("/x", "GET", 200, 0.01)
        assert monitor.report()["metrics"]["sample_size"] >= before + 1  # its own figures go on
    server.start() if fault == "killed" else server.process.send_signal(signal.SIGCONT)
    until(pair.agree)
    assert pair.slow <= 2  # no turn waited for Redis, let alone a request
    pair.close()


class Load:
    """Requests without a pause against an instrumented app, every other one failing, each timed."""

    def __init__(self, url):
        self.app = FastAPI()
        self.monitor = instrument(self.app, redis_url=url)
        self.slow = self.n = 0

        @self.app.get("/x")
        async def x():
            return PlainTextResponse("", 500 if self.n % 2 else 200)

    async def until(self, holds, seconds=20.0):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not happen in time"
            self.n += 1
            began = time.perf_counter()
            await request(self.app, "/x")
            self.slow += time.perf_counter() - began > SLOW_S
            await asyncio.sleep(0.002)

    def state(self, wanted):
        return lambda: self.monitor.report()["storage"]["state"] == wanted


@needs_redis
@pytest.mark.slow
async def test_under_load_no_request_waits_and_no_report_is_healthy_for_lack_of_data(server):
    load = Load(server.url)
    await load.until(lambda: load.n > 300 and load.monitor.storage._answered > load.monitor.started)
    for fault, mend in (
        (
            lambda: server.process.send_signal(signal.SIGSTOP),
            lambda: server.process.send_signal(signal.SIGCONT),
        ),
        (server.kill, server.start),
    ):
        fault()
        await load.until(load.state("degraded"))
        report = load.monitor.report()
        assert report["status"] == "critical"
        assert report["metrics"]["error_rate"] == pytest.approx(0.5, abs=0.05)
        mend()
        await load.until(load.state("ok"))
        assert load.monitor.report()["status"] == "critical"
    assert load.monitor.report()["storage"]["breaker"] == "closed"
    assert load.slow <= 2
    load.monitor.storage.close()


@needs_redis
@pytest.mark.slow
def test_what_somebody_else_wrote_into_the_stream_is_left_out(server):
    import redis

    pair = Pair(server.url)
    until(pair.agree)
    client = redis.Redis.from_url(server.url)
    client.xadd("alertengine:shop:seconds", {"worker": "other", "batch": "not a batch"})
    client.xadd("alertengine:shop:seconds", {"something": "else"})
    client.close()
    until(lambda: pair.agree() and all(one.storage.told()["dropped"] == 2 for one in pair.workers))
    pair.close()


def test_without_the_redis_package_or_a_server_it_goes_on_alone():
    storage = RedisStream("redis://127.0.0.1:1/0", "s")
    monitor = Monitor(storage=storage)
    for _ in range(3):
        monitor.record("/x", "GET", 500, 0.01)
        monitor.advance(monitor.due)
    assert monitor.report()["metrics"]["error_rate"] == 1
    storage.close()
