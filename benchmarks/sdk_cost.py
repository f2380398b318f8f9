"""CPU time a request that each middleware adds over an empty ASGI one, interleaved in one run.

    python sdk_cost.py [--routes 4] [--rounds 40] [--requests 500] [--direct] [--peer PYTHON] [VARIANT ...]

Each variant runs in a process of its own; the rounds alternate, so that what else the machine
does falls on all alike. Compare the differences, not the absolutes. `--peer` is the interpreter of
an environment with fastapi-alertengine 1.7.0, which has the same import name. `--direct` puts an
app behind that knows its route without a search: FastAPI's own, over 1,000 routes, takes far longer
than what is to be measured. What the SDK does once a second is part of its cost in either case.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time

VARIANTS = ("empty", "bare", "timing", "ours", "instrumentator", "opentelemetry", "exporter", "peer")
DIRECT = ("empty", "timing", "ours")


class Empty:
    """The floor: one more ASGI layer that does nothing."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Timing:
    """Two clock readings and no memory of them."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        began = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            self.last = time.perf_counter() - began


def install(variant, app):
    if variant in ("ours", "peer"):
        os.environ.update(ALERTENGINE_DISABLE_DEMO="1", ALERTENGINE_STATE="off")
        from fastapi_alertengine import instrument

        return instrument(app, redis_url="redis://127.0.0.1:1/0") if variant == "peer" else instrument(app)
    if variant == "instrumentator":
        from prometheus_fastapi_instrumentator import Instrumentator

        Instrumentator().instrument(app)
    elif variant == "exporter":
        from starlette_exporter import PrometheusMiddleware

        app.add_middleware(PrometheusMiddleware)
    elif variant == "opentelemetry":
        from opentelemetry import trace
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
        tracers = trace.NoOpTracerProvider()
        FastAPIInstrumentor.instrument_app(app, tracer_provider=tracers, meter_provider=meters)
    elif variant in ("empty", "timing"):
        app.add_middleware({"empty": Empty, "timing": Timing}[variant])
    return None


def build(variant, routes):
    from fastapi import FastAPI
    from starlette.responses import JSONResponse

    app = FastAPI()
    engine = install(variant, app)

    def add(number):
        async def answer(item: int):
            return JSONResponse({"error": number}, 500) if number == 3 else {"item": item}

        app.get(f"/route{number}/{{item}}")(answer)

    for number in range(routes):
        add(number)
    return app, engine


class Known:
    """A route as Starlette leaves it in the scope."""

    def __init__(self, path):
        self.path = path


def direct(variant, routes):
    """The variant's middleware over an app that only names its route and answers."""
    known = [Known(f"/route{number}/{{item}}") for number in range(routes)]
    start = {"type": "http.response.start", "status": 200, "headers": []}
    body = {"type": "http.response.body", "body": b"{}"}

    async def answer(scope, receive, send):
        route = known[int(scope["path"][6:].partition("/")[0])]
        scope.update(route=route, endpoint=answer, fastapi={"effective_route_context": route})
        await send(start)
        await send(body)

    from fastapi import FastAPI

    app = FastAPI()
    install(variant, app)
    ((kind, *_, parts),) = app.user_middleware
    return kind(answer, **parts), None


def scopes(routes, n, seed):
    draw = random.Random(seed)
    for _ in range(n):
        number = draw.randrange(routes) if routes > 4 else draw.choice((0, 0, 0, 0, 1, 1, 1, 1, 2, 3))
        path = f"/route{number}/{draw.randrange(10**6)}"
        yield {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip


def drain(engine):
    """Work a package puts off is part of its cost."""
    queue = getattr(engine, "_queue", None)
    while queue is not None and not queue.empty():
        engine._aggregate_batch([queue.get_nowait() for _ in range(min(100, queue.qsize()))])


async def serve(variant, options):
    """Worker: for each line on stdin run a round and answer with CPU nanoseconds."""
    routes = options.routes
    app, engine = (direct if options.direct else build)(variant, routes)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    for line in sys.stdin:
        n, seed = json.loads(line)
        ready = list(scopes(routes, n, seed))
        began = time.process_time_ns()
        for one in ready:
            await app(one, receive, send)
        drain(engine)
        print(time.process_time_ns() - began, file=REPLY, flush=True)
        await asyncio.sleep(0)


def worker(variant, python, options):
    argv = [python, os.path.abspath(__file__), "--worker", variant, "--routes", str(options.routes)]
    argv += ["--direct"] * options.direct
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def ask(process, n, seed):
    process.stdin.write(json.dumps([n, seed]) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline() or -1)


def measure(options):
    all_of_them = DIRECT if options.direct else VARIANTS
    names = options.variants or [name for name in all_of_them if name != "peer" or options.peer]
    python = {name: options.peer if name == "peer" else sys.executable for name in names}
    processes = {name: worker(name, python[name], options) for name in names}
    for process in processes.values():
        ask(process, 300, 0)
    times = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names if number % 2 else names[::-1]:
            times[name].append(ask(processes[name], options.requests, number) / options.requests / 1000)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return times


def undisturbed(times):
    """The mean of the fastest quarter of the rounds: neighbours only ever add time."""
    return statistics.fmean(sorted(times)[: max(1, len(times) // 4)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*")
    parser.add_argument("--routes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--peer")
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        asyncio.run(serve(options.worker, options))
        return
    times = measure(options)
    print(
        f"| {options.routes} routes | µs a request | added over an empty ASGI middleware |\n| --- | --- | --- |"
    )
    for name, own in times.items():
        print(f"| {name} | {undisturbed(own):.1f} | {undisturbed(own) - undisturbed(times['empty']):+.1f} |")


if __name__ == "__main__":
    REPLY = os.fdopen(os.dup(1), "w")  # what a variant prints must not mix with the answers
    if "--worker" in sys.argv:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    main()
