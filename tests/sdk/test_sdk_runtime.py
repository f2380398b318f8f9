"""How the process fares: what is told was really seen."""

import gc
import os
import time

from fastapi_alertengine.runtime import KEPT, Runtime, handles


def burn(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass


def test_lag_and_requests_in_flight():
    runtime = Runtime()
    for second in range(10):
        for _ in range(9):
            runtime.beat(0.001)
        runtime.beat(0.25 if second == 7 else -0.001)
        runtime.second(float(second), second)
    told = runtime.told(4.0, 9.0)
    assert (told["loop_lag_max_ms"], told["loop_lag_p95_ms"]) == (250, 1)
    assert (told["in_flight"], told["in_flight_max"]) == (9, 9)
    assert runtime.told(0.0, 4.0)["loop_lag_max_ms"] == 1
    assert runtime.told(20.0, 30.0) is None


def test_processor_and_memory_are_this_process_own():
    runtime = Runtime()
    runtime.second(0.0, 0)
    burn(0.05)
    runtime.second(1.0, 0)
    told = runtime.told(0.0, 1.0)
    assert told["cpu"] >= 0.04
    assert told["rss_mb"] > 5


def test_garbage_collections_are_timed_while_watched():
    runtime = Runtime()
    runtime.watch()
    runtime.watch()
    assert gc.callbacks.count(runtime._collected) == 1
    gc.collect()
    runtime.unwatch()
    runtime.second(1.0, 0)
    assert 0 < runtime.told(0.0, 1.0)["gc_max_ms"] <= runtime.told(0.0, 1.0)["gc_ms_per_s"] + 0.01
    assert runtime._collected not in gc.callbacks


def test_descriptors_threads_and_disk():
    before = handles()
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    try:
        assert handles()["fds"] >= before["fds"] + 5
    finally:
        for file in files:
            os.close(file)
    assert before["threads"] >= 1
    assert 0 <= before["disk_free_pct"] <= 100


def test_what_is_kept_is_bounded():
    runtime = Runtime()
    for second in range(2 * KEPT):
        runtime.second(float(second), 0)
    assert len(runtime._seconds) == KEPT
