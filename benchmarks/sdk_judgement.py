"""Which method finds a fault, how soon, and how often it cries wolf: the same streams for all.

    python sdk_judgement.py [--seeds 2] [--only TEXT] [--methods ours static ...] [--peer PYTHON]

Sixteen faults and fourteen quiet times (sdk_streams.py) under a simulated clock, each method asked
every 5 s. A fault is found if an alarm opens between its begin and the time after which finding it
is of no use; an alarm at any other time, but for ten minutes after a fault, is false. Alarms within
five minutes of the last are the same alarm. `--peer` is the interpreter of an environment with
fastapi-alertengine 1.7.0, which has the same import name.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import sdk_streams as streams

POLL_S, SAME_S, GRACE_S = 5.0, 300.0, 600.0


class Ours:
    """fastapi_alertengine.Monitor, as the middleware drives it."""

    def __init__(self):
        from fastapi_alertengine import Monitor

        self.t = 0.0
        self.monitor = Monitor(now=lambda: self.t)

    def begin(self, t, route):
        self.t = t
        self.monitor.begin(route.path, route.method)

    def record(self, t, route, status, took):
        self.t = t
        self.monitor.record(route.path, route.method, status, took)

    def start(self, t):
        self.t = t
        self.monitor.mark("startup", version=str(t))

    def fires(self, t):
        self.t = t
        return self.monitor.report()["status"] == "critical"


class FourWorkers:
    """Four of them behind one port, meeting in shared memory; each request and each poll goes to any."""

    def __init__(self):
        from fastapi_alertengine import Monitor
        from fastapi_alertengine.shared import Shared

        self.meeting = tempfile.TemporaryDirectory()
        os.environ["ALERTENGINE_SHARED_DIR"] = f"{self.meeting.name}/rings"
        self.draw = random.Random(7)
        self.t = 0.0
        self.workers = []
        for number in range(4):
            self.t = number / 4  # they do not keep step
            self.workers.append(Monitor(now=lambda: self.t, storage=Shared("benchmark")))
        self.busy = {}

    def go(self, t):
        """Each worker wakes by itself when its second is over."""
        due = min(self.workers, key=lambda worker: worker.due)
        while due.due <= t:
            self.t = due.due
            due.advance(self.t)
            due = min(self.workers, key=lambda worker: worker.due)
        self.t = t

    def begin(self, t, route):
        self.go(t)
        worker = self.draw.choice(self.workers)
        self.busy.setdefault((route.path, round(t, 4)), []).append(worker)
        worker.begin(route.path, route.method)

    def record(self, t, route, status, took):
        self.go(t)
        key = route.path, round(t - took, 4)
        worker = self.busy[key].pop()
        if not self.busy[key]:
            del self.busy[key]
        worker.record(route.path, route.method, status, took)

    def start(self, t):
        self.go(t)
        for worker in self.workers:
            worker.mark("startup", version=str(t))

    def fires(self, t):
        self.go(t)
        return self.draw.choice(self.workers).report()["status"] == "critical"


class Plain:
    """What the others need not know."""

    def begin(self, t, route):
        pass

    def start(self, t):
        pass


class Windowed(Plain):
    """Keeps the requests of the last `seconds`."""

    seconds = 60

    def __init__(self):
        self.kept = deque()

    def record(self, t, route, status, took):
        self.kept.append((t, took, status >= 500))

    def figures(self, t):
        while self.kept and self.kept[0][0] < t - self.seconds:
            self.kept.popleft()
        n = len(self.kept)
        if n < 10:
            return None
        took = sorted(one[1] for one in self.kept)
        return took[math.ceil(0.95 * n) - 1], sum(one[2] for one in self.kept) / n


class Static(Windowed):
    """P95 over 1 s or more than 5 % errors, over a minute, from 10 requests on."""

    def fires(self, t):
        told = self.figures(t)
        return told is not None and (told[0] > 1.0 or told[1] > 0.05)


class RobustZ(Windowed):
    """P95 and error share of 30 s against median and MAD of an hour: six deviations, twice in a row."""

    seconds = 30

    def __init__(self):
        super().__init__()
        self.past = deque(maxlen=720), deque(maxlen=720)
        self.row = 0

    def fires(self, t):
        told = self.figures(t)
        if told is None:
            self.row = 0
            return False
        now = math.log(told[0]), told[1]
        far = len(self.past[0]) >= 60 and any(
            self.distance(past, value, least) > 6
            for past, value, least in zip(self.past, now, (0.05, 0.01), strict=True)
        )
        for past, value in zip(self.past, now, strict=True):
            past.append(value)
        self.row = self.row + 1 if far else 0
        return self.row >= 2

    @staticmethod
    def distance(past, value, least):
        middle = statistics.median(past)
        spread = 1.4826 * statistics.median([abs(one - middle) for one in past])
        return (value - middle) / max(spread, least)


class BurnRate(Plain):
    """99.9 % of requests good (no 5xx, within 1 s): 14.4 times the budget in 1 h and in 5 min, or 6 times
    in 6 h and in 30 min."""

    spans = ((3600, 300, 14.4), (21600, 1800, 6.0))

    def __init__(self):
        self.open = [0, 0]
        self.sums = [(-1e9, 0, 0)]  # time, requests and bad ones since the beginning

    def record(self, t, route, status, took):
        self.open[0] += 1
        self.open[1] += status >= 500 or took > 1.0

    def fires(self, t):
        _, n, bad = self.sums[-1]
        self.sums.append((t, n + self.open[0], bad + self.open[1]))
        self.open = [0, 0]
        return any(
            self.burnt(t - long) > limit and self.burnt(t - short) > limit
            for long, short, limit in self.spans
        )

    def burnt(self, since):
        low, high = 0, len(self.sums) - 1
        while low < high:  # the last entry not after `since`
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.sums[middle][0] <= since else (low, middle - 1)
        n, bad = (self.sums[-1][i] - self.sums[low][i] for i in (1, 2))
        return bad / n / 0.001 if n else 0.0


class Peer(Plain):
    """fastapi-alertengine 1.7.0 in memory mode: its own engine, fed at once, asked for its score (< 70)."""

    def __init__(self):
        os.environ["ALERTENGINE_DISABLE_DEMO"] = "1"
        import fastapi_alertengine.engine as engine
        import fastapi_alertengine.intelligence as intelligence

        self.t = 0.0
        engine.time = intelligence.time = self
        self.engine = engine.AlertEngine(config=engine.AlertConfig())

    def time(self):
        return self.t

    monotonic = perf_counter = time

    def record(self, t, route, status, took):
        self.t = t
        told = {"path": route.path, "method": route.method, "status_code": status, "latency_ms": 1000 * took}
        self.engine._aggregate_batch([told])

    def fires(self, t):
        self.t = t
        engine = self.engine
        if t - engine._last_agg_flush_ts >= engine.config.agg_flush_interval_seconds:
            engine._flush_aggregates()
            engine._last_agg_flush_ts = t
        engine._maybe_recalibrate()
        return engine.evaluate()["health_score"]["score"] < 70


METHODS = {
    "ours": Ours,
    "four workers": FourWorkers,
    "static threshold": Static,
    "burn rates": BurnRate,
    "robust z-score": RobustZ,
    "1.7.0": Peer,
}


def replay(stream, seed, method):
    """Times at which a new alarm opened, and whether one is open ten minutes after the fault."""
    polled = random.Random(seed).random() * POLL_S
    starts = deque(stream.starts)
    opened, last, stuck = [], -1e9, False
    for t, begun, route, status, took in streams.events(stream, seed):
        while polled <= t:
            if method.fires(polled):
                if polled - last > SAME_S:
                    opened.append(polled)
                last = polled
                stuck = stuck or bool(stream.ends and 0 <= polled - stream.ends - GRACE_S < POLL_S)
            polled += POLL_S
        while starts and starts[0] <= t:
            method.start(starts.popleft())
        method.begin(t, route) if begun else method.record(t, route, status, took)
    return opened, stuck


def scored(stream, opened, stuck):
    if stream.begins is None:
        return {"fault": False, "false": len(opened), "quiet_s": stream.seconds}
    found = [t for t in opened if stream.begins <= t <= stream.begins + stream.within]
    false = [t for t in opened if not stream.begins <= t <= stream.ends + GRACE_S]
    return {
        "fault": True,
        "delay": found[0] - stream.begins if found else None,
        "false": len(false),
        "quiet_s": stream.begins + max(0, stream.seconds - stream.ends - GRACE_S),
        "stuck": stuck,
    }


def judge(name, only, seed):
    """All streams with one method; one line of JSON each."""
    for stream in [*streams.troubles(), *streams.quiet_times()]:
        if only in stream.name:
            row = scored(stream, *replay(stream, seed, METHODS[name]()))
            print(json.dumps({"stream": stream.name, **row}), file=REPLY, flush=True)


def run(name, python, only, seed):
    argv = [python, os.path.abspath(__file__), "--worker", name, "--only", only, "--seeds", str(seed)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return name, [json.loads(line) for line in done.stdout.splitlines()]


def line(name, rows):
    faults = [row for row in rows if row["fault"]]
    delays = [row["delay"] for row in faults if row["delay"] is not None]
    quiet = [row for row in rows if not row["fault"]]
    weeks = sum(row["quiet_s"] for row in rows) / (7 * 24 * 3600)
    cells = (
        name,
        f"{len(delays)} of {len(faults)}",
        f"{statistics.median(delays):.1f} s" if delays else "-",
        f"{sum(row['false'] for row in rows)} in {weeks:.2f} weeks",
        f"{sum(not row['false'] for row in quiet)} of {len(quiet)}",
        str(sum(row["stuck"] for row in faults)),
    )
    return "| " + " | ".join(cells) + " |"


def told(results):
    print("| method | found | median delay | false alarms | quiet times silent | stuck |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rows in results.items():
        print(line(name, rows))
    print("\n| stream | " + " | ".join(results) + " |\n| --- |" + " --- |" * len(results))
    for stream in dict.fromkeys(row["stream"] for rows in results.values() for row in rows):
        print(f"| {stream} | " + " | ".join(short(rows, stream) for rows in results.values()) + " |")


def short(rows, stream):
    """Delays where there was a fault, then false alarms."""
    mine = [row for row in rows if row["stream"] == stream]
    told = [("missed" if row["delay"] is None else f"{row['delay']:.0f} s") for row in mine if row["fault"]]
    false = sum(row["false"] for row in mine)
    return ", ".join(told + ([f"{false} false"] if false else [])) or "silent"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--peer")
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        judge(options.worker, options.only, options.seeds)
        return
    names = options.methods or [name for name in METHODS if name != "1.7.0" or options.peer]
    jobs = [(name, seed) for seed in range(options.seeds) for name in names]
    results = {name: [] for name in names}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        python = {"1.7.0": options.peer}
        for name, rows in pool.map(
            lambda job: run(job[0], python.get(job[0]) or sys.executable, options.only, job[1]), jobs
        ):
            results[name] += rows
    told(results)


if __name__ == "__main__":
    REPLY = os.fdopen(os.dup(1), "w")  # what a method prints must not mix with the answers
    if "--worker" in sys.argv:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    main()
