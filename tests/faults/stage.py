"""The outside world on loopback: servers that answer, or misbehave, as a test says."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from standardwebhooks.webhooks import Webhook

from alertengine.testing import critical_report, healthy_report

T = TypeVar("T")


def wait_for(probe: Callable[[], T], what: str, within_s: float = 15.0) -> T:
    """The first true answer of `probe`, asked every 50 ms. The one place in these tests that sleeps."""
    deadline = time.monotonic() + within_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}; last seen: {found!r}")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def say(
    status: int, body: bytes | str = b"", content_type: str = "application/json", **headers: str
) -> Behaviour:
    """One plain answer. `headers`: underscores become hyphens, and they win over the usual ones."""
    raw = body.encode() if isinstance(body, str) else body
    told = {"content-type": content_type, "content-length": str(len(raw)), "connection": "close"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in told.items()) + "\r\n"

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + raw)
        await writer.drain()

    return behave


def report(body: Any) -> Behaviour:
    return say(200, json.dumps(body))


HEALTHY = report(healthy_report())
CRITICAL = report(critical_report())


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: every single read is quick, the whole never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def cut(request: Request, writer: asyncio.StreamWriter) -> None:
    """Half an answer, then a reset."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"status"')
    await writer.drain()
    writer.transport.abort()


async def drop(request: Request, writer: asyncio.StreamWriter) -> None:
    """The request is taken, and no answer comes."""
    writer.transport.abort()


async def garbage(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    await writer.drain()


async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
    """Chunks without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        await writer.drain()


def bomb() -> Behaviour:
    """50 MB in 50 kB."""
    return say(200, gzip.compress(b" " * 50_000_000), content_encoding="gzip")


@dataclass
class Server:
    """An HTTP server on a loopback port. Change `behave`, or give `script`: behaviours used up first."""

    behave: Behaviour
    script: list[Behaviour] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """From here on connections are refused."""
        if self._server:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # a transport is gone one turn after it was aborted

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted in the very turn in which it was closed
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not left to the task: one that is cancelled before its first step closes nothing.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side left, or the test is over

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        behave = self.script.pop(0) if self.script else self.behave
        self.requests.append(request)
        await behave(request, writer)


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method=method, path=path, headers=headers, body=body, at=time.monotonic())


@dataclass
class Receiver(Server):
    """Takes signed messages; whatever does not verify by an independent library is answered 401."""

    secret: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What was taken, each with its `webhook-id` as `id`."""
    forged: list[Request] = field(default_factory=list)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        self.requests.append(request)
        try:
            message = Webhook(self.secret).verify(request.body, dict(request.headers))
        except Exception:
            self.forged.append(request)
            await say(401)(request, writer)
            return
        behave = self.script.pop(0) if self.script else self.behave
        if behave is self.behave or behave is drop:  # `drop` takes the message and leaves before it says so
            self.messages.append({**message, "id": request.headers["webhook-id"]})
        await behave(request, writer)

    @property
    def kinds(self) -> list[str]:
        return [m["type"].removeprefix("incident.") for m in self.messages]

    def wait(self, kind: str, count: int = 1, within_s: float = 15.0) -> dict[str, Any]:
        """The `count`-th message of this kind."""

        def found() -> list[dict[str, Any]] | None:
            mine = [m for m in self.messages if m["type"] == f"incident.{kind}"]
            return mine if len(mine) >= count else None

        return wait_for(found, f"message {kind!r} number {count} (got {self.kinds})", within_s)[count - 1]


class Stage:
    """A thread with an event loop on which all servers of a test run live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stage")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        self.run(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _settle(self) -> None:
        """Nobody is cut off by the end of the loop."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0.05)


def unused_port() -> socket.socket:
    """A socket that holds a port where nothing listens, so that it refuses for as long as it is held."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held
