"""The one HTTP client: whom it never asks, how long and how much it listens, what it says it has sent."""

from __future__ import annotations

import asyncio
import gc
import gzip
import ipaddress
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpcore2
import httpx2
import pytest

from alertengine import http, resolver
from alertengine.core.addresses import allowed
from alertengine.errors import HttpError
from alertengine.http import GuardedBackend, Http
from alertengine.resolver import Resolver

Peer = Callable[[bytes, asyncio.StreamWriter], Any]

NEVER = (
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%lo",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe:0:0:5601:5601",
)
"""Link-local, metadata, multicast, unspecified, and the same dressed as something else."""

FINE = ("127.0.0.1", "::1", "10.1.2.3", "192.168.0.7", "fd12::1", "93.184.216.34", "2606:4700::1111")


@pytest.fixture
async def client() -> AsyncIterator[Http]:
    opened = Http()
    yield opened
    await opened.close()


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[str]:
    """A server on loopback whose answer is up to `peer`."""
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await peer(await reader.readuntil(b"\r\n\r\n"), writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has heard enough
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # a transport is gone one turn after it was aborted


def saying(status: int = 200, body: bytes = b"", heard: list[bytes] | None = None, **headers: str) -> Peer:
    told = {"content-length": str(len(body)), "connection": "close"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in told.items()) + "\r\n"

    async def peer(request: bytes, writer: asyncio.StreamWriter) -> None:
        if heard is not None:
            heard.append(request)
        writer.write(head.encode() + body)
        await writer.drain()

    return peer


async def silent(request: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def refused(client: Http, url: str, **more: Any) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await client.fetch("GET", url, **{"timeout_s": 5, **more})
    return caught.value


class Wires(httpcore2.AsyncNetworkBackend):
    """Notes where a connection would have gone."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.tried.append(host)
        raise httpcore2.ConnectError("no wire")


@pytest.fixture
def wires() -> Iterator[tuple[GuardedBackend, Wires]]:
    below, names = Wires(), Resolver()
    yield GuardedBackend(below, names), below
    names.close()


@pytest.mark.parametrize("address", NEVER)
async def test_some_addresses_are_never_connected(address: str, wires: tuple[GuardedBackend, Wires]) -> None:
    backend, below = wires
    with pytest.raises(HttpError) as caught:
        await backend.connect_tcp(address, 80)

    assert (caught.value.kind, caught.value.sent) == ("blocked", False)
    assert below.tried == []


@pytest.mark.parametrize("address", FINE)
def test_private_and_public_addresses_are_fine(address: str) -> None:
    assert allowed(ipaddress.ip_address(address))


def resolving(*addresses: str) -> Callable[..., list[Any]]:
    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    return getaddrinfo


@pytest.mark.parametrize(
    "answers", [("169.254.169.254",), ("93.184.216.34", "169.254.169.254"), ("fe80::1%eth0",)]
)
async def test_a_name_that_leads_there_is_not_followed(
    answers: tuple[str, ...], wires: tuple[GuardedBackend, Wires], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, below = wires
    monkeypatch.setattr(resolver.socket, "getaddrinfo", resolving(*answers))
    with pytest.raises(HttpError):
        await backend.connect_tcp("rebind.example", 80)

    assert below.tried == []


async def test_the_judged_address_is_the_connected_one(
    wires: tuple[GuardedBackend, Wires], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, below = wires
    monkeypatch.setattr(resolver.socket, "getaddrinfo", resolving("93.184.216.34", "10.0.0.1"))
    with pytest.raises(httpcore2.ConnectError):
        await backend.connect_tcp("twice.example", 80)

    assert below.tried == ["93.184.216.34", "10.0.0.1"]


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]"]
)
async def test_however_the_address_is_spelt(host: str, client: Http) -> None:
    error = await refused(client, f"http://{host}/latest/meta-data")

    assert error.kind in ("blocked", "dns")
    assert error.sent is False


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://", "nonsense", "http://[::1/"]
)
async def test_what_is_no_web_address_is_not_asked(url: str, client: Http) -> None:
    assert (await refused(client, url)).sent is False


async def test_an_answer_is_cut_at_the_cap(client: Http) -> None:
    async with listening(saying(body=b"x" * 2_000_000)) as url:
        error = await refused(client, url)
    assert (error.kind, error.sent) == ("too_large", True)


async def test_the_cap_is_of_the_unpacked_answer(client: Http) -> None:
    packed = gzip.compress(b" " * 30_000_000)
    async with listening(saying(body=packed, content_encoding="gzip")) as url:
        error = await refused(client, url)
    assert error.kind == "too_large"


NOTHING = b"\x00\x00\x00\xff\xff"  # a block of deflate that holds no byte
PACKED = gzip.compress(gzip.compress(NOTHING * 200_000, 1))


@pytest.mark.parametrize("codings", ["gzip, gzip", "deflate, gzip", "deflate", "br", "gzip, gzip, gzip"])
async def test_what_is_packed_otherwise_is_not_unpacked(codings: str, client: Http) -> None:
    body = PACKED
    async with listening(saying(body=body, content_encoding=codings)) as url:
        began = time.monotonic()
        error = await refused(client, url)
    assert error.kind == "broken"
    assert time.monotonic() - began < 1


async def test_what_unpacks_to_nothing_is_bounded_as_it_comes(client: Http) -> None:
    body = b"\x1f\x8b\x08" + bytes(6) + b"\xff" + NOTHING * 200_000
    async with listening(saying(body=body, content_encoding="gzip")) as url:
        error = await refused(client, url)
    assert error.kind == "too_large"


async def test_a_packed_answer_within_the_cap_is_read(client: Http) -> None:
    async with listening(saying(body=gzip.compress(b'{"status":"ok"}'), content_encoding="gzip")) as url:
        answer = await client.fetch("GET", url, timeout_s=5)
    assert answer.json() == {"status": "ok"}


async def test_a_broken_packing_is_a_broken_answer(client: Http) -> None:
    async with listening(saying(body=b"not gzip at all", content_encoding="gzip")) as url:
        error = await refused(client, url)
    assert (error.kind, error.sent) == ("broken", True)


async def test_the_deadline_is_of_the_whole_and_not_of_each_read(client: Http) -> None:
    async def dripping(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with listening(dripping) as url:
        began = time.monotonic()
        error = await refused(client, url, timeout_s=0.3)
    assert (error.kind, error.sent) == ("timeout", True)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int, client: Http) -> None:
    heard: list[bytes] = []
    async with listening(saying(heard=heard)) as target, listening(saying(status, location=target)) as url:
        answer = await client.fetch("POST", url, timeout_s=5, body=b"{}")
    assert answer.status == status
    assert not answer.ok
    assert heard == []


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = Http()
    async with listening(saying(body=b"{}")) as url:
        answer = await client.fetch("GET", url, timeout_s=5)
    await client.close()
    assert answer.status == 200


async def test_no_cookie_is_kept(client: Http) -> None:
    heard: list[bytes] = []
    async with listening(saying(heard=heard, set_cookie="session=of-another-tenant; Path=/")) as url:
        await client.fetch("GET", url, timeout_s=5)
        await client.fetch("GET", url, timeout_s=5)
    assert len(heard) == 2
    assert not any(b"cookie" in request.lower() for request in heard)


async def test_what_was_refused_was_not_sent(client: Http) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        error = await refused(client, f"http://127.0.0.1:{held.getsockname()[1]}/")
    assert (error.kind, error.sent) == ("refused", False)


async def test_what_does_not_resolve_was_not_sent(client: Http) -> None:
    error = await refused(client, "http://nowhere.invalid/")
    assert (error.kind, error.sent) == ("dns", False)


async def test_what_was_taken_and_not_answered_was_sent(client: Http) -> None:
    async def leaving(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(silent) as url:
        assert (await refused(client, url, timeout_s=0.2)).sent is True
    async with listening(leaving) as url:
        assert (await refused(client, url)).sent is True


async def test_a_server_without_tls_is_told_apart_and_got_nothing(client: Http) -> None:
    async with listening(saying(400)) as url:
        error = await refused(client, url.replace("http:", "https:"), timeout_s=0.5)
    assert error.sent is False


async def test_a_handshake_that_hangs_gives_its_socket_back(client: Http) -> None:
    ended = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    gc.disable()
    try:
        await refused(client, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout_s=0.3)
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        gc.enable()
        server.close()


def test_tls_that_breaks_after_the_request_leaves_it_sent() -> None:
    broken = httpx2.ReadError("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed")

    assert http._classified(broken, True).sent is True


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[-Infinity]", '{"a": 1', ""])
def test_what_is_not_json_is_refused(text: str) -> None:
    answer = http.Response(status=200, headers={}, body=text.encode())
    with pytest.raises(ValueError, match=r".*"):
        answer.json()


async def test_many_that_hang_do_not_hold_up_one(client: Http) -> None:
    async with listening(silent) as slow, listening(saying(body=b"{}")) as quick:
        waiting = [asyncio.create_task(client.fetch("GET", slow, timeout_s=20)) for _ in range(120)]
        await client.fetch("GET", quick, timeout_s=15)
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def test_a_url_with_a_secret_is_in_no_error() -> None:
    error = http._classified(httpx2.ConnectError("https://user:hunter2@host/bot123:token failed"), False)

    assert "hunter2" not in json.dumps([str(error), repr(error)])
