"""An HTTP server for one provider on a port of its own, which does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx2

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    429: "Slow Down",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came in, byte for byte. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    def json(self) -> dict[str, Any]:
        """The object in the body; empty where there is anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def replied(value: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer. `retry_after="7"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(
        status=status,
        body=json.dumps(value).encode(),
        headers={"content-type": "application/json", **named},
    )


class Misbehave(StrEnum):
    HANG = "hang"
    """Takes the request and says nothing."""
    DRIP = "drip"
    """Acts on the request, then answers a byte at a time without end."""
    CUT = "cut"
    """Acts on the request, then cuts the connection without an answer."""
    GARBAGE = "garbage"
    """Answers 200 with a page of nonsense."""


class LoopbackServer:
    """`plan` holds what to do with the next requests, one after another, instead of answering as usual.

    `problems` lists every way in which a request broke the provider's format; a good client leaves it empty.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.plan: list[Reply | Misbehave] = []
        self.transport: httpx2.AsyncBaseTransport | None = None
        """How the provider reaches the daemon; over the network unless set."""
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None, "use it as: async with Server() as server"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def answer(self, request: Request) -> Reply:
        """As the provider would."""
        raise NotImplementedError

    async def respond(self, request: Request) -> Reply:
        """The same, for what takes its time."""
        return self.answer(request)

    def problem(self, text: str) -> None:
        self.problems.append(text)

    async def call(self, url: str, body: bytes, **headers: str) -> int:
        """Call the daemon, as the provider does; answers the HTTP status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx2.AsyncClient(transport=self.transport, trust_env=False) as client:
            return (await client.post(url, content=body, headers=named)).status_code

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await self._exchange(await _read(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._talks.discard(task)
            writer.close()

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path == "/health/alerts":
            # The port was an app's a moment ago, and its daemon still asks: nothing to do with the provider.
            return
        self.requests.append(request)
        act = self.plan.pop(0) if self.plan else None
        if act is Misbehave.HANG:
            await asyncio.Event().wait()
        if act is Misbehave.GARBAGE:
            act = Reply(body=b"<html>\xff\x00 {{{ ok? ]]", headers={"content-type": "text/html"})
        reply = act if isinstance(act, Reply) else await self.respond(request)
        if act is Misbehave.CUT:
            return
        if act is Misbehave.DRIP:
            await _drip(writer)
        writer.write(_head(reply, len(reply.body)))
        writer.write(reply.body)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method=method, target=target, headers=headers, body=body)


def _head(reply: Reply, length: int) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Said')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    date = formatdate(usegmt=True)
    lines += [f"date: {date}", f"content-length: {length}", "connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(_head(Reply(), 1_000_000))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)
