"""The demo's stage: the app in a process of its own, its customers, a phone and the daemon, torn down in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from alertengine.app import load_settings
from alertengine.clock import SystemClock
from alertengine.daemon import Running, running, serving
from alertengine.demo.phone import Phone
from alertengine.demo.traffic import Traffic
from alertengine.errors import ConfigError, HttpError
from alertengine.http import Http

CONFIGURATION = """\
[poll]
interval_s = 1

[channels.phone]
kind = "webhook"
url = "http://127.0.0.1:{phone_port}/messages"
secret = "{phone_secret}"
"""
APP_STARTS_WITHIN_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    daemon: Running
    phone: Phone
    traffic: Traffic
    http: Http
    app_url: str
    app_secret: str
    app_pid: int


@asynccontextmanager
async def stage(port: int) -> AsyncIterator[Stage]:
    """Everything the demo needs, on free ports and in a folder that goes away with it."""
    require_sdk()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alertengine-demo-")))
        http = Http()
        stack.push_async_callback(http.close)
        phone_secret = "whsec_" + secrets.token_urlsafe(32).replace("-", "A").replace("_", "B") + "="
        phone = Phone(phone_secret, clock)
        listener = stack.enter_context(contextlib.closing(listen(0)))
        await stack.enter_async_context(serving(phone.server(), listener))
        app_secret = secrets.token_urlsafe(32)
        app_port = free_port(0)
        process = stack.enter_context(_app(app_port, app_secret, folder))
        traffic = Traffic(http, f"http://127.0.0.1:{app_port}")
        await _answering(http, traffic.url, process)
        file = folder / "alertengine.toml"
        phone_port = listener.getsockname()[1]
        file.write_text(CONFIGURATION.format(phone_port=phone_port, phone_secret=phone_secret))
        overrides = {"data_dir": folder / "data", "server.port": free_port(port)}
        daemon = await stack.enter_async_context(running(load_settings(file, {}, overrides)))
        customers = asyncio.create_task(traffic.run())
        stack.callback(customers.cancel)
        yield Stage(
            daemon=daemon,
            phone=phone,
            traffic=traffic,
            http=http,
            app_url=traffic.url,
            app_secret=app_secret,
            app_pid=process.pid,
        )


def require_sdk() -> None:
    """The SDK's name belongs to another package in the public registry, so it is looked at, not assumed."""
    spec = find_spec("fastapi_alertengine")
    if spec is not None:
        import fastapi_alertengine

        if hasattr(fastapi_alertengine, "Monitor"):
            return
        found = "the installed fastapi_alertengine is another package of that name"
    else:
        found = "the SDK fastapi_alertengine is not installed"
    raise ConfigError([f"{found}; install ours from the repository: pip install --force-reinstall ./sdk"])


def listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def free_port(wanted: int) -> int:
    """`wanted` if it is free, else any free one."""
    for port in (wanted, 0):
        try:
            with contextlib.closing(listen(port)) as listener:
                number: int = listener.getsockname()[1]
                return number
        except OSError:
            continue
    raise ConfigError(["no port of this machine is free"])


@contextmanager
def _app(port: int, secret: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The payments service, alone in its process group, so that nothing of it stays behind."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        # -P: what lies in the folder that this was called from is none of its modules.
        [sys.executable, "-P", "-m", "alertengine.demo.payments", str(port), str(folder)],
        env={
            **os.environ,
            "ALERTENGINE_SECRET": secret,
            "ALERTENGINE_STORAGE": "memory",
            "ALERTENGINE_STATE": "off",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(3)
            return
        except subprocess.TimeoutExpired:
            continue


async def _answering(http: Http, url: str, process: subprocess.Popen[bytes]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + APP_STARTS_WITHIN_S
    while loop.time() < deadline:
        if process.poll() is not None:
            raise ConfigError([f"the demo's app ended at once (exit {process.returncode})"])
        with contextlib.suppress(HttpError):
            if (await http.fetch("GET", f"{url}/about", timeout_s=1)).ok:
                return
        await asyncio.sleep(0.1)
    raise ConfigError([f"the demo's app did not answer within {APP_STARTS_WITHIN_S} s"])
