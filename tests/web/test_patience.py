"""Connections that send slowly, or nothing, on a real server."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from alertengine.daemon import _config, serving
from alertengine.web import patience
from alertengine.web.app import create_app
from world import World

HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.fixture
async def port(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    for what in patience.PATIENCE_S:
        monkeypatch.setitem(patience.PATIENCE_S, what, 0.6)
    monkeypatch.setattr(patience, "MOST", 40)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with serving(_config(create_app(world.engine, "an-admin-key-of-this")), listener):
            yield listener.getsockname()[1]


async def ask(port: int, request: bytes = HEALTH) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def drip(port: int, begun: bytes, drop: bytes) -> float:
    """Send a byte now and then; answers after how many seconds the server has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(begun)
    gone = asyncio.create_task(reader.read())
    try:
        while not gone.done() and time.monotonic() - began < 8:
            writer.write(drop)
            await writer.drain()
            await asyncio.wait([gone], timeout=0.05)
    except ConnectionError:
        pass
    await asyncio.gather(gone, return_exceptions=True)
    writer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        (b"", b""),
        (b"GET /health HTTP/1.1\r\nx-slow: ", b"a"),
        (
            b"POST /verify HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n",
            b" ",
        ),
        (b"POST /verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["silent", "dripping head", "dripping body", "dripping chunks"],
)
async def test_who_is_slow_is_cut(port: int, begun: bytes, drop: bytes) -> None:
    assert 0.3 < await drip(port, begun, drop) < 5


async def test_who_holds_connections_crowds_nobody_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(patience.PATIENCE_S, "head", 60)
    monkeypatch.setattr(patience, "SURELY_S", 0.0)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(120)]
    for _ in range(5):
        assert (await ask(port)).startswith(b"HTTP/1.1 200")
    for _, writer in held:
        writer.close()


async def test_who_reads_nothing_of_an_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(patience.PATIENCE_S, "room", 0.6)
    ended = asyncio.Event()

    async def long(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):  # what is sent after the cut goes nowhere, at once
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        ended.set()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with serving(_config(long), listener):
            with socket.create_connection(listener.getsockname()) as asking:
                asking.sendall(HEALTH)
                await asyncio.wait_for(ended.wait(), 8)


async def test_who_asks_in_time_is_served_again_and_again(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(4):
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        await asyncio.sleep(0.2)  # in all longer than one head may take
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET /audit/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /tenant/%00%ff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /tenant/../status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /status HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /verify HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /verify HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\nconnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["no host", "bytes", "latin path", "nul path", "dots", "two lengths", "minus", "huge", "long head"],
)
async def test_what_is_no_request_is_refused_and_the_server_goes_on(port: int, request_: bytes) -> None:
    try:
        answer = await asyncio.wait_for(ask(port, request_), 6)
    except ConnectionError:
        answer = b""
    assert answer == b"" or answer.split()[1][:1] == b"4"

    assert (await ask(port)).startswith(b"HTTP/1.1 200")
