"""Workers of one host: the same figures in each, nothing left of the dead."""

import multiprocessing
import os
from collections import Counter

import pytest
from sdk_asgi import Clock

from fastapi_alertengine import Monitor
from fastapi_alertengine.ring import Writer
from fastapi_alertengine.rows import Batch, Row, encode
from fastapi_alertengine.shared import Shared, directory

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
    assert mine.exchange(3.0, Batch(0, [])) == []  # found now, followed from here on
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
    assert [path.name for path in meeting_place.glob("*.ring")] == [f"{os.getpid()}.ring"]
    assert mine.workers == 1


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
    other = Writer(meeting_place / f"{os.getppid()}.ring", clock.t)
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


def test_closing_leaves_no_file(meeting_place):
    shared = Shared("s")
    shared.exchange(1.0, batch(1))
    shared.close()
    assert not list(meeting_place.glob("*"))


def test_a_place_that_cannot_be_had_is_told(meeting_place):
    meeting_place.write_text("a file is in the way")
    shared = Shared("s")
    assert shared.exchange(1.0, batch(1)) == []
    assert shared.told() == {"mode": "shared", "state": "degraded", "dropped": 1}


def test_services_meet_apart(monkeypatch):
    monkeypatch.delenv("ALERTENGINE_SHARED_DIR")
    assert directory("a") != directory("b")
    assert directory("a") == directory("a")
