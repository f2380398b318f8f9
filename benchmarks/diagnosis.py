"""Inject real faults into a real application and see which cause the rules name.

    python benchmarks/diagnosis.py FOLDER [--only CAUSE ...] [--rate 30] [--save FOLDER]

FOLDER holds `target.py`, an application instrumented with the SDK, and `stub.py`, the
outside service it calls. Both run on loopback, about 16 seconds a cause.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alertengine.core.diagnosis.model import FetchError, Finding
from alertengine.core.diagnosis.rules import diagnose

SECRET = "a-secret-of-this-run-alone"
MIX = (
    ("GET /items/7", 5),
    ("GET /account", 2),
    ("POST /orders", 2),
    ("POST /pay", 2),
    ("GET /report", 1),
    ("GET /quote", 1),
)
STUB_MODES = {
    "upstream_5xx": ("503", "500slow"),
    "upstream_timeout": ("hang", "hang60"),
    "upstream_throttle": ("429",),
}
CAUSES = (
    "db_slow", "upstream_5xx", "upstream_timeout", "upstream_throttle", "upstream_down", "bad_deploy",
    "app_exception", "memory_leak", "cpu_hog", "loop_block", "pool_exhaustion", "disk_full", "traffic_surge",
    "scanner_4xx", "auth_break", "no_traffic", "service_down",
)  # fmt: skip
TIMEOUT_S = 8.0


@dataclass
class Traffic:
    """What is being sent; a fault changes it while it runs."""

    rate: float
    scanning: float = 0.0
    late: int = 0
    idle: list["Connection"] = field(default_factory=list)


@dataclass
class Site:
    """The running application and its outside service."""

    port: int
    stub_port: int
    target: subprocess.Popen[bytes]
    stub: subprocess.Popen[bytes]


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def exchange(
    port: int, request: str, headers: dict[str, str] | None = None, idle: list[Connection] | None = None
) -> tuple[int, bytes]:
    """One request: status and body. The connection is taken from `idle` and given back to it, if there is one."""
    reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{request} HTTP/1.1", f"host: 127.0.0.1:{port}", "content-length: 0"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    try:
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        answer = int(head.split(" ", 2)[1]), await reader.readexactly(length)
    except BaseException:
        writer.close()
        raise
    if idle is None:
        writer.close()
    else:
        idle.append((reader, writer))
    return answer


async def hit(port: int, request: str, client: str, traffic: Traffic) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await exchange(port, request, {"x-forwarded-for": client}, traffic.idle)
    except (OSError, TimeoutError, EOFError, ValueError):
        traffic.late += 1


async def drive(port: int, traffic: Traffic) -> None:
    """Send the mix at the rate asked for, from about a hundred addresses, until cancelled."""
    requests, weights = [request for request, _ in MIX], [weight for _, weight in MIX]
    begun, due = set[asyncio.Task[None]](), time.monotonic()
    while True:
        total = traffic.rate + traffic.scanning
        due = max(due, time.monotonic() - 0.5) + (random.expovariate(total) if total else 0.1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if not total:
            continue
        if random.random() < traffic.scanning / total:
            request, client = f"GET /wp-login-{random.randint(1, 999)}.php", "203.0.113.66"
        else:
            request, client = random.choices(requests, weights)[0], f"198.51.100.{random.randint(1, 110)}"
        task = asyncio.create_task(hit(port, request, client, traffic))
        begun.add(task)
        task.add_done_callback(begun.discard)


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "ALERTENGINE_SECRET": SECRET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    port, stub_port = free_port(), free_port()
    with (
        process(str(folder / "stub.py"), str(stub_port)) as stub,
        process(str(folder / "target.py"), str(port), str(stub_port)) as target,
    ):
        await ready(port)
        yield Site(port, stub_port, target, stub)


async def ready(port: int) -> None:
    for _ in range(100):
        try:
            await exchange(port, "GET /health/alerts")
        except (OSError, EOFError):
            await asyncio.sleep(0.1)
        else:
            return
    raise SystemExit("the application did not start")


async def inject(cause: str, place: Site, traffic: Traffic) -> None:
    """Make `cause` true."""
    if cause in STUB_MODES:
        await exchange(place.stub_port, f"GET /__{random.choice(STUB_MODES[cause])}")
    elif cause == "upstream_down":
        place.stub.kill()
    elif cause == "service_down":
        place.target.kill()
    elif cause == "traffic_surge":
        traffic.rate *= 11
    elif cause == "scanner_4xx":
        traffic.scanning = 70
    elif cause == "no_traffic":
        traffic.rate = 0
    else:
        if cause == "bad_deploy":
            await exchange(place.port, "POST /__mark/1.1.0")
        await exchange(place.port, f"POST /__fault/{cause}")


def signature() -> dict[str, str]:
    """Standard Webhooks, over an empty body."""
    message, stamp = f"msg_{random.randrange(10**12)}", str(int(time.time()))
    digest = hmac.digest(SECRET.encode(), f"{message}.{stamp}.".encode(), hashlib.sha256)
    signed = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": signed}


async def look(port: int) -> tuple[dict[str, Any] | None, FetchError | None]:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, body = await exchange(port, "GET /health/alerts?evidence=1", signature())
        return json.loads(body), None
    except TimeoutError:
        return None, FetchError(kind="timeout", detail="no answer")
    except OSError as error:
        return None, FetchError(kind="refused", detail=str(error))


async def run(cause: str, folder: Path, options: argparse.Namespace) -> tuple[Finding, dict[str, Any] | None]:
    """Nine healthy seconds, the fault, and what the rules say six seconds later."""
    async with site(folder) as place:
        traffic = Traffic(rate=options.rate)
        driver = asyncio.create_task(drive(place.port, traffic))
        try:
            await asyncio.sleep(options.healthy / 2)
            if options.distract:
                await exchange(place.port, "POST /__mark/1.0.1")
            await asyncio.sleep(options.healthy / 2)
            await inject(cause, place, traffic)
            await asyncio.sleep(options.faulty)
            report, error = await look(place.port)
        finally:
            driver.cancel()
        return diagnose(report, error), report


def line(cause: str, finding: Finding) -> str:
    others = ", ".join(f"{name} {share:.2f}" for name, share in finding.alternatives)
    right = "yes" if finding.cause == cause else "third" if cause in dict(finding.alternatives) else "NO"
    return f"{cause:18} {finding.cause:18} {right:6} {finding.confidence:4.2f}  {others}"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=CAUSES, choices=CAUSES, metavar="CAUSE")
    parser.add_argument("--rate", type=float, default=30.0, help="requests a second")
    parser.add_argument("--healthy", type=float, default=9.0, help="seconds before the fault")
    parser.add_argument("--faulty", type=float, default=6.0, help="seconds from the fault to the look")
    parser.add_argument("--distract", action="store_true", help="a harmless deploy before the fault")
    parser.add_argument("--save", type=Path, help="keep the reports in this folder")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    print(f"{'injected':18} {'named':18} {'right':6} sure  others")
    hits = 0
    for cause in chosen.only:
        finding, report = asyncio.run(run(cause, chosen.folder, chosen))
        hits += finding.cause == cause
        print(line(cause, finding), flush=True)
        print(f"    {finding.summary}", flush=True)
        if chosen.save:
            chosen.save.mkdir(parents=True, exist_ok=True)
            (chosen.save / f"{cause}.json").write_text(json.dumps(report, indent=1))
    print(f"{hits} of {len(chosen.only)} right")


if __name__ == "__main__":
    main()
