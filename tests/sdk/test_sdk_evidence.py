"""Evidence discriminates, stays small, and its `usual` is from before the fault."""

import json
import random

import pytest
from sdk_asgi import Clock

from fastapi_alertengine import Monitor, evidence
from fastapi_alertengine.faults import KEPT, Faults


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


class Shop:
    """Ten requests a second, each with a database call, for two minutes; then `fault` for eight seconds."""

    def __init__(self, **fault):
        self.clock = Clock()
        self.monitor = Monitor(now=self.clock)
        self.random = random.Random(3)
        self.run(120)
        self.run(8, **fault)

    def run(self, seconds, ran=0.02, waited=0.0, code=None, status=200, error=None, clients=50):
        for _ in range(seconds * 10):
            self.clock.t += 0.1
            done = self.monitor.dependency("db", "orders")
            with done as call:
                call.waited(waited)
                if code:
                    call.fail(code)
            self.monitor.calls.pending[-1] = self.monitor.calls.pending[-1]._replace(took_s=ran)
            if error:
                self.monitor.faults.add(self.clock.t, raised(error), "GET /x")
            self.monitor.traffic.clients.append((f"10.0.0.{self.random.randrange(clients)}", 1))
            self.monitor.record("/x", "GET", status, 0.01 + ran + waited)

    def told(self):
        report = self.monitor.report()
        assert report["status"] == "critical"
        return evidence.build(self.monitor, self.monitor.now())


def test_a_slow_database_runs_long():
    (db,) = Shop(ran=0.7).told()["dependencies"]
    assert db["p50_ms"] == pytest.approx(700, rel=0.02)
    assert db["usual"]["p95_ms"] == pytest.approx(20, rel=0.02)


def test_an_exhausted_pool_waits():
    (db,) = Shop(waited=2.0).told()["dependencies"]
    assert db["wait_p95_ms"] == pytest.approx(2000, rel=0.02)
    assert db["p95_ms"] < 30
    assert db["usual"]["wait_p95_ms"] == 0


def test_failures_are_told_by_code():
    (db,) = Shop(code="timeout", status=504).told()["dependencies"]
    assert db["codes"]["timeout"] == pytest.approx(db["count"], abs=2)
    assert db["usual"]["fail_rate"] == 0


def test_new_exceptions_are_told_with_own_code_and_errno():
    (fault,) = Shop(status=500, error=OSError(28, "No space left on device")).told()["exceptions"]
    assert (fault["type"], fault["errno"], fault["new"]) == ("OSError", 28, True)
    assert fault["location"].startswith("test_sdk_evidence.py:raised:")
    assert fault["message"] == "[Errno 28] No space left on device"


def test_one_client_stands_out():
    shop = Shop(status=500)
    shop.run(10, clients=1, status=500)
    traffic = shop.told()["traffic"]
    assert traffic["top_client_share"] >= 0.9
    assert traffic["usual"]["top_client_share"] < 0.2


def test_how_long_nothing_came_is_told():
    shop = Shop(status=500)
    assert shop.told()["traffic"]["silent_s"] <= 1
    shop.clock.t += 6
    shop.monitor.report()
    told = evidence.build(shop.monitor, shop.monitor.now())
    assert told["traffic"]["silent_s"] == pytest.approx(6, abs=1.1)


def test_routes_stand_beside_what_is_usual_for_them():
    (route,) = Shop(ran=0.5).told()["routes"]
    assert route["p95_ms"] == pytest.approx(510, rel=0.02)
    assert route["usual"]["p95_ms"] < 40


def test_marks_tell_their_age():
    clock = Clock()
    monitor = Monitor(now=clock)
    monitor.mark("startup", version="1.4.2", commit="abc")
    clock.t += 7
    assert monitor.marks.told(clock.t) == [
        {"kind": "startup", "version": "1.4.2", "age_s": 7.0, "commit": "abc"}
    ]
    assert monitor.report()["version"] == "1.4.2"


def test_evidence_is_bounded():
    clock = Clock()
    monitor = Monitor(now=clock)
    for i in range(120):
        clock.t += 0.05
        monitor.record(f"/{'x' * 90}{i}", "GET", 500, 0.1)
        with monitor.dependency("http" * 20, "n" * 300 + str(i)) as call:
            call.fail("c" * 300 + str(i))
        monitor.faults.add(clock.t, raised(ValueError("y" * 5000)), f"/{'z' * 200}{i}")
        monitor.mark("m" * 500, version="v" * 500, note="n" * 5000)
    monitor.report()
    assert len(json.dumps(evidence.build(monitor, clock.t))) <= 32_000


def test_fingerprints_are_bounded_and_the_newest_stay():
    faults = Faults()
    for i in range(KEPT + 50):
        faults.add(float(i), raised(ValueError()), f"/{i}")
    told = faults.told(200.0, 200.0, 400.0)
    assert len(told) == 20
    assert len(faults._kept) == KEPT


class Odd(Exception):
    """Nothing about it can be asked, and it is a group of itself."""

    def __str__(self):
        raise RuntimeError

    @property
    def exceptions(self):
        return (self,)


def test_what_cannot_be_asked_does_no_harm():
    clock = Clock()
    monitor = Monitor(now=clock)
    monitor.faults.add(clock.t, raised(Odd()), "GET /\udcff")
    monitor.mark(5, version=Odd(), note=Odd())
    told = evidence.build(monitor, clock.t)
    assert (told["exceptions"][0]["type"], told["exceptions"][0]["message"]) == ("Odd", "")
    assert told["marks"] == [{"kind": "5", "version": "", "age_s": 0.0, "note": ""}]


def test_the_cause_lends_its_errno():
    try:
        try:
            raise ConnectionRefusedError(111, "refused")
        except OSError as error:
            raise RuntimeError("cannot pay") from error
    except RuntimeError as error:
        caught = error
    faults = Faults()
    faults.add(1.0, caught, "/pay")
    assert faults.told(1.0, 10.0, 60.0)[0]["errno"] == 111
