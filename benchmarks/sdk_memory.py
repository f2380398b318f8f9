"""What a report costs and what is kept, by routes and requests.

    python sdk_memory.py [--millions 3]

Requests are entered on a clock of their own: a minute for the first two tables, then as many millions
as asked for at 1,000 a second, with dependencies and ever new methods and routes among them.
"""

import argparse
import random
import time
import tracemalloc

from fastapi_alertengine import Monitor


class Clock:
    t = 0.0

    def __call__(self):
        return self.t


def feed(monitor, clock, routes, requests, seconds):
    draw = random.Random(7)
    took = [draw.lognormvariate(-3.5, 0.7) for _ in range(4096)]
    step = seconds / requests
    names = [f"/route{number}/{{item}}" for number in range(routes)]
    for i in range(requests):
        clock.t += step
        monitor.record(names[i * 7919 % routes], "GET", 500 if i % 100 == 0 else 200, took[i * 31 % 4096])


def run(routes, requests, traced):
    clock = Clock()
    if traced:
        tracemalloc.start()
    monitor = Monitor(now=clock)
    feed(monitor, clock, routes, requests, 60.0)
    if traced:
        kept = tracemalloc.get_traced_memory()[0] / 1e6
        feed(monitor, clock, routes, requests, 60.0)
        again = tracemalloc.get_traced_memory()[0] / 1e6
        tracemalloc.stop()
        return f"{kept:.2f} MB, {again:.2f} MB after as many again"
    times = []
    for _ in range(50):
        began = time.process_time()
        monitor.report()
        times.append(time.process_time() - began)
    return f"{1000 * sorted(times)[len(times) // 2]:.2f} ms"


def flat(millions):
    """MB kept after each million of requests; one monitor, a route in 1,000 requests is a new one."""
    clock = Clock()
    tracemalloc.start()
    monitor = Monitor(now=clock, config={"max_routes": 100})
    for number in range(1, millions + 1):
        for part in range(100):
            feed(monitor, clock, 100, 9_990, 10.0)
            for i in range(10):
                monitor.record(f"/new/{number}/{part}/{i}", f"NEW{i}", 200, 0.01)
                with monitor.dependency("db", f"new{number}/{part}/{i}"):
                    pass
        yield number, tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, default=3)
    options = parser.parse_args()
    print("| routes | requests in the minute | a report |\n| --- | --- | --- |")
    for routes, requests in ((10, 10_000), (100, 100_000), (1000, 1_000_000)):
        print(f"| {routes} | {requests} | {run(routes, requests, False)} |")
    print("\n| routes | requests in the minute | kept |\n| --- | --- | --- |")
    for routes, requests in ((100, 6_000), (100, 60_000), (100, 200_000)):
        print(f"| {routes} | {requests} | {run(routes, requests, True)} |")
    print("\n| million requests, 100 routes | kept |\n| --- | --- |")
    for number, kept in flat(options.millions):
        print(f"| {number} | {kept:.2f} MB |", flush=True)


if __name__ == "__main__":
    main()
