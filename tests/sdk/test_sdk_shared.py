"""Workers of one host: the same figures in each, nothing left of the dead."""

import multiprocessing
import os
import random
from collections import Counter

import pytest
from sdk_asgi import Clock

from fastapi_alertengine import Monitor
from fastapi_alertengine.ring import HEAD, KEPT_S, MAGIC, Writer
from fastapi_alertengine.rows import Batch, Row, encode
from fastapi_alertengine.shared import Shared, directory, sweep

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shared mode needs a POSIX host")


@pytest.fixture(autouse=True)
def meeting_place(monkeypatch, tmp_path):
    monkeypatch.setenv("ALERTENGINE_SHARED_DIR", str(tmp_path / "rings"))
    return tmp_path / "rings"


def batch(n):
    return Batch(3, [Row("GET", "/x", Counter({5: n}))])


def in_child(function):
    """Run in a forked process that stays until told, as a worker would."""
    ready, stop = multiprocessing.Event(), multiprocessing.Event()

    def run():
        function()
        ready.set()
        stop.wait(20)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    assert ready.wait(20)
    return process, stop


def test_a_worker_gets_what_another_counted():
    mine = Shared("s")
    mine.exchange(1.0, Batch(0, []))
    theirs = Shared("s")

    def work():
        theirs.exchange(1.0, Batch(0, []))
        theirs.exchange(2.0, batch(7))

    process, stop = in_child(work)
    assert mine.exchange(3.0, Batch(0, [])) == [batch(7)]
    assert mine.workers == 2
    stop.set()
    process.join()


def test_the_ring_of_a_dead_worker_is_removed(meeting_place):
    mine = Shared("s")
    mine.exchange(1.0, Batch(0, []))
    process, stop = in_child(lambda: Shared("s").exchange(1.0, batch(1)))
    assert len(list(meeting_place.glob("*.ring"))) == 2
    stop.set()
    process.join()
    mine.exchange(3.0, Batch(0, []))
    assert mine.workers == 1
    mine.exchange(1.0 + KEPT_S, Batch(0, []))
    assert len(list(meeting_place.glob("*.ring"))) == 2  # whoever comes now may read its last minute
    mine.exchange(3.0 + KEPT_S, Batch(0, []))
    (left,) = meeting_place.glob("*.ring")
    assert left.name.startswith(f"{os.getpid()}-")


def test_who_comes_after_a_worker_that_died_reads_its_last_minute(meeting_place):
    process, stop = in_child(lambda: Shared("s").exchange(1.0, batch(4)))
    stop.set()
    process.join()
    assert Shared("s").past(20.0) == [(1.0, batch(4))]


def test_the_last_to_leave_takes_everything_away(meeting_place):
    one, other = Shared("s"), Shared("s")
    for shared in (one, other):
        shared.exchange(1.0, batch(1))
    one.close()
    assert len(list(meeting_place.glob("*.ring"))) == 2
    other.close()
    assert not meeting_place.exists()


def test_set_up_before_a_fork_each_process_has_its_own_ring(meeting_place):
    shared = Shared("s")
    shared.exchange(1.0, batch(1))
    process, stop = in_child(lambda: shared.exchange(2.0, batch(1)))
    assert len(list(meeting_place.glob("*.ring"))) == 2
    stop.set()
    process.join()


def test_monitor_counts_what_others_counted(meeting_place):
    clock = Clock()
    monitor = Monitor(now=clock, storage=Shared("s"))
    monitor.record("/x", "GET", 200, 0.01)
    clock.t += 1.5
    monitor.report()
    other = Writer(meeting_place / "other.ring", clock.t)
    clock.t += 1.0
    monitor.report()
    other.write(clock.t, encode(batch(5)))
    clock.t += 1.0
    report = monitor.report()
    assert report["metrics"]["sample_size"] == 6
    assert report["metrics"]["in_flight"] == 3
    assert report["workers"] == 2
    assert report["storage"] == {"mode": "shared", "state": "ok", "dropped": 0}
    monitor.storage.close()


def workers(count, clock, **options):
    return [Monitor(now=clock, storage=Shared("s"), **options) for _ in range(count)]


def drive(monitors, clock, seconds, seed=1, **fault):
    """Twelve requests a second, each to any of the workers; returns when each was critical first."""
    draw, began, found = random.Random(seed), clock.t, {}
    while clock.t < began + seconds:
        clock.t += 1 / 12
        failed = draw.random() < fault.get("errors", 0.0)
        took = draw.lognormvariate(-3.5, 0.5) * fault.get("slow", 1.0)
        draw.choice(monitors).record("/x", "GET", 500 if failed else 200, took)
        for monitor in monitors:
            monitor.advance(clock.t)
            if monitor not in found and monitor.health.status == "critical":
                found[monitor] = clock.t - began
    return [found.get(monitor) for monitor in monitors]


@pytest.mark.parametrize("fault", [{"errors": 0.3}, {"slow": 4.0}])
def test_four_workers_judge_as_fast_as_one(fault):
    one, four = Clock(), Clock()
    alone, together = [Monitor(now=one)], workers(4, four)
    assert drive(alone, one, 200) == [None]
    assert drive(together, four, 200) == [None] * 4
    (by_one,) = drive(alone, one, 60, seed=2, **fault)
    assert max(drive(together, four, 60, seed=2, **fault)) <= by_one + 2.0


def test_a_worker_that_comes_later_knows_the_minute_and_the_alarm():
    clock = Clock()
    old = workers(2, clock)
    drive(old, clock, 100)
    drive(old, clock, 20, errors=0.9)
    (new,) = workers(1, clock)
    clock.t += 1.1
    for monitor in (*old, new):
        monitor.report()
    told, known = new.report(), old[0].report()
    assert told["status"] == known["status"] == "critical"
    assert told["metrics"]["sample_size"] == pytest.approx(known["metrics"]["sample_size"], abs=2 * 60)
    assert told["alerts"][0]["type"] == "error_anomaly"


def test_requests_that_a_dead_worker_had_in_flight_are_forgotten(meeting_place):
    clock = Clock()
    (mine,) = workers(1, clock)
    drive([mine], clock, 3)
    dead = Writer(meeting_place / "dead.ring", clock.t)
    dead.write(clock.t, encode(Batch(3, [Row("GET", "/x", Counter(), late=(3, 0))])))
    drive([mine], clock, 2)
    cell = mine.cells.get("/x", "GET")
    assert cell.stuck == 3
    dead.leave()
    drive([mine], clock, 12)
    assert cell.stuck == 0
    assert mine.report()["metrics"]["in_flight"] == 0


def test_what_another_version_wrote_is_left_out_and_told(meeting_place):
    shared = Shared("s")
    shared.exchange(1.0, batch(1))
    other = Writer(meeting_place / "other.ring", 1.0)
    other.write(1.0, b'["a format of later days"]')
    other.write(1.0, encode(batch(2)))
    assert shared.exchange(2.0, batch(1)) == [batch(2)]
    assert shared.told()["dropped"] == 1


def test_places_of_workers_that_were_all_killed_are_removed(tmp_path):
    prefix = f"alertengine-{os.getuid()}-"
    process, stop = in_child(lambda: None)
    stop.set()
    process.join()
    for name, pid in (("gone", process.pid), ("busy", os.getpid())):
        (tmp_path / f"{prefix}{name}").mkdir()
        ring = tmp_path / f"{prefix}{name}" / "1.ring"
        Writer(ring, 1.0)
        ring.write_bytes(HEAD.pack(MAGIC, pid, 1.0, 0, 0) + ring.read_bytes()[HEAD.size :])
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{prefix}busy"]


def test_a_place_that_cannot_be_had_is_told(meeting_place):
    meeting_place.write_text("a file is in the way")
    shared = Shared("s")
    assert shared.exchange(1.0, batch(1)) == []
    assert shared.told() == {"mode": "shared", "state": "degraded", "dropped": 1}


def test_services_meet_apart(monkeypatch):
    monkeypatch.delenv("ALERTENGINE_SHARED_DIR")
    assert directory("a") != directory("b")
    assert directory("a") == directory("a")
