"""The one HTTP client of the process: total deadlines, byte caps, no redirects, and a guard at connect time.

The guard judges the resolved addresses and connects to exactly those, so that a name cannot be re-pointed
between the check and the connection. Link-local and cloud-metadata addresses are never reached.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import socket
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore2
import httpx2

from alertengine.errors import HttpError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_BYTES = 256 * 1024
NEVER = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "100.100.100.200/32",  # metadata, Alibaba
        "168.63.129.16/32",  # wire server, Azure
        "169.254.0.0/16",  # link-local, metadata of most clouds
        "192.0.0.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # metadata, AWS
    )
)
_EMBEDDED = (
    (ipaddress.ip_network("::ffff:0:0/96"), 0, 0),
    (ipaddress.ip_network("::/96"), 0, 0),
    (ipaddress.ip_network("64:ff9b::/96"), 0, 0),
    (ipaddress.ip_network("64:ff9b:1::/48"), 0, 0),
    (ipaddress.ip_network("2002::/16"), 80, 0),
    (ipaddress.ip_network("2001::/32"), 0, 0xFFFFFFFF),
)
"""Networks whose addresses stand for an IPv4 one: how far right it lies, and what it was inverted with."""
_OWN = (ipaddress.ip_address("::"), ipaddress.ip_address("::1"))
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that stands for it (mapped, compatible, NAT64, 6to4, Teredo)."""
    for network, shift, inverted in _EMBEDDED:
        if address in network and address not in _OWN:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF ^ inverted)
    return address


def allowed(address: Address) -> bool:
    address = inner(address)
    return not any(address in network for network in NEVER)


class GuardedStream(httpcore2.AsyncNetworkStream):
    """Gives its socket back also where the deadline cuts a TLS handshake off, which the client forgets."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves names apart from asyncio's small thread pool (one tenant's dead DNS server would fill it),
    and connects to addresses that were judged."""

    def __init__(self, network: httpcore2.AsyncNetworkBackend) -> None:
        self._network = network
        self._resolvers = ThreadPoolExecutor(32, thread_name_prefix="resolver")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        if not all(allowed(a) for a in addresses):
            raise HttpError("blocked", f"{host} is an address that is never asked", sent=False)
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
                return GuardedStream(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            pass
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as error:
            raise HttpError("dns", f"{host} does not resolve", sent=False) from error
        return list(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found))

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)


class GuardedTransport(httpx2.AsyncHTTPTransport):
    def __init__(self) -> None:
        self.backend = GuardedBackend(httpcore2.AnyIOBackend())
        # httpx has no argument for a network backend; its pool is the one place that takes one.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=1000,
            max_keepalive_connections=100,
            # Shorter than servers keep theirs (uvicorn: 5 s): a request on a connection that is just being
            # closed at the other end is lost, and nobody could say whether it arrived.
            keepalive_expiry=2,
            network_backend=self.backend,
        )

    async def aclose(self) -> None:
        await super().aclose()
        self.backend.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Raises ValueError for anything but JSON. NaN and infinities are not JSON."""
        return json.loads(self.body, parse_constant=_refuse_constant)


class Http:
    """`fetch` asks once, within a total deadline, and reads at most `max_bytes`."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        # At INFO the client logs whole URLs, and there are secrets in those.
        for name in ("httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = httpx2.AsyncClient(
            transport=transport or GuardedTransport(),
            follow_redirects=False,
            trust_env=False,
            timeout=None,
            # One client asks for every tenant: a cookie of one must not travel with the next.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"user-agent": "alertengine"},
        )

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Response:
        """Raises `HttpError`, whose `sent` says whether the other side may have got the request."""
        sent = False

        async def trace(event: str, _: Any) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(method, url, headers, body, max_bytes, trace)
        except TimeoutError:
            raise HttpError("timeout", f"no answer within {timeout_s:g} s", sent=sent) from None
        except httpx2.InvalidURL:
            raise HttpError("blocked", "this is not a URL", sent=False) from None
        except httpx2.HTTPError as error:
            raise _classified(error, sent and not isinstance(error, _NOT_SENT)) from None

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        max_bytes: int,
        trace: Any,
    ) -> Response:
        request = self._client.build_request(
            method, url, headers=dict(headers or {}), content=body, extensions={"trace": trace}
        )
        answer = await self._client.send(request, stream=True)
        try:
            received = bytearray()
            async for chunk in answer.aiter_bytes():
                received += chunk
                if len(received) > max_bytes:
                    raise HttpError("too_large", f"more than {max_bytes // 1024} KiB", sent=True)
            return Response(status=answer.status_code, headers=dict(answer.headers), body=bytes(received))
        finally:
            await answer.aclose()

    async def close(self) -> None:
        await self._client.aclose()


def _classified(error: httpx2.HTTPError, sent: bool) -> HttpError:
    text = str(error)
    if "SSL" in text or "certificate" in text.lower():
        return HttpError("tls", "its certificate or TLS is not accepted", sent=sent)
    if isinstance(error, httpx2.ConnectError):
        return HttpError("refused", "connection refused", sent=False)
    return HttpError("broken", f"the connection broke ({type(error).__name__})", sent=sent)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
