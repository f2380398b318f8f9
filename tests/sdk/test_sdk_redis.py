"""A real Redis, killed, stopped and started again: no request waits, and the report tells."""

import shutil
import signal
import socket
import subprocess
import time

import pytest

from fastapi_alertengine import Monitor
from fastapi_alertengine.breaker import REST_S, Breaker
from fastapi_alertengine.redis_storage import RedisStream

pytestmark = pytest.mark.xdist_group("redis")
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
        self.slowest = 0.0

    def turn(self):
        """One exchange of each, as the ticker makes them, timed."""
        for monitor in self.workers:
            monitor.record("/x", "GET", 200, 0.01)
            began = time.perf_counter()
            monitor.advance(max(monitor.now(), monitor.due))
            self.slowest = max(self.slowest, time.perf_counter() - began)

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
    pair = Pair(server.url)
    until(pair.agree)
    sizes = [monitor.report()["metrics"]["sample_size"] for monitor in pair.workers]
    assert min(sizes) > 2
    assert pair.workers[0].report()["storage"]["mode"] == "redis"
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
    assert pair.slowest < 0.2  # no turn ever waited for Redis, let alone a request
    pair.close()


def test_without_the_redis_package_or_a_server_it_goes_on_alone():
    storage = RedisStream("redis://127.0.0.1:1/0", "s")
    monitor = Monitor(storage=storage)
    for _ in range(3):
        monitor.record("/x", "GET", 500, 0.01)
        monitor.advance(monitor.due)
    assert monitor.report()["metrics"]["error_rate"] == 1
    storage.close()
