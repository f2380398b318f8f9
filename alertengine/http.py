"""The one HTTP client of the process: total deadlines, byte caps, no redirects, and a guard at connect time.

The guard judges the resolved addresses and connects to exactly those, so that a name cannot be re-pointed
between the check and the connection. Link-local and cloud-metadata addresses are never reached; loopback and
private ones only where the operator named the URL, or listed the range. Connections for tenants' URLs have a pool of
their own: one that was opened on the operator's word must not carry a tenant's request.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import ssl
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore2
import httpx2

from alertengine.core.addresses import Network, allowed
from alertengine.core.given import Given
from alertengine.errors import HttpError
from alertengine.resolver import Resolver

MAX_BYTES = 256 * 1024
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


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
    """Connects to addresses that were judged, and to no others."""

    def __init__(
        self,
        network: httpcore2.AsyncNetworkBackend,
        resolver: Resolver,
        given: Given = Given.OPERATOR,
        private: Sequence[Network] = (),
    ) -> None:
        self._network = network
        self._resolver = resolver
        self._given = given
        self._private = private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._resolver.resolve(host)
        # One forbidden answer spoils them all: whoever gives such a name means no good.
        if not all(allowed(a, self._given, self._private) for a in addresses):
            raise HttpError("blocked", f"{host} is an address that may not be asked", sent=False)
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


@functools.cache
def _trust() -> ssl.SSLContext:
    """The system's authorities: 40 ms to read, so once for the process."""
    return ssl.create_default_context()


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """`resolver`: shared with others and closed by their owner; without one it has its own."""

    def __init__(
        self,
        resolver: Resolver | None = None,
        given: Given = Given.OPERATOR,
        private: Sequence[Network] = (),
    ) -> None:
        self._own = None if resolver else Resolver()
        names = resolver or self._own
        assert names is not None
        # httpx has no argument for a network backend; its pool is the one place that takes one.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trust(),
            max_connections=1000,
            max_keepalive_connections=100,
            # Shorter than servers keep theirs (uvicorn: 5 s): a request on a connection that is just being
            # closed at the other end is lost, and nobody could say whether it arrived.
            keepalive_expiry=2,
            network_backend=GuardedBackend(httpcore2.AnyIOBackend(), names, given, private),
        )

    async def aclose(self) -> None:
        await super().aclose()
        if self._own is not None:
            self._own.close()


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
    """`fetch` asks once, within a total deadline, and reads at most `max_bytes`. `private`: the networks that a
    tenant's URL may lead to beside the public internet."""

    def __init__(
        self, transport: httpx2.AsyncBaseTransport | None = None, private: Sequence[Network] = ()
    ) -> None:
        # At INFO the client logs whole URLs, and there are secrets in those.
        for name in ("httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._resolver = Resolver()
        self._clients = {
            given: httpx2.AsyncClient(
                transport=transport or GuardedTransport(self._resolver, given, private),
                follow_redirects=False,
                trust_env=False,
                timeout=None,
                # One client asks for many tenants: a cookie of one must not travel with the next.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                headers={"user-agent": "alertengine", "accept-encoding": "identity"},
            )
            for given in Given
        }

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = MAX_BYTES,
        given: Given = Given.OPERATOR,
    ) -> Response:
        """Raises `HttpError`, whose `sent` says whether the other side may have got the request.

        `given`: who named the URL.
        """
        sent = False

        async def trace(event: str, _: Any) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        try:
            async with asyncio.timeout(timeout_s):
                request = self._clients[given].build_request(
                    method, url, headers=dict(headers or {}), content=body, extensions={"trace": trace}
                )
                return await _answer(self._clients[given], request, max_bytes)
        except TimeoutError:
            raise HttpError("timeout", f"no answer within {timeout_s:g} s", sent=sent) from None
        except httpx2.InvalidURL:
            raise HttpError("blocked", "this is not a URL", sent=False) from None
        except httpx2.HTTPError as error:
            raise _classified(error, sent and not isinstance(error, _NOT_SENT)) from None

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._resolver.close()


async def _answer(client: httpx2.AsyncClient, request: httpx2.Request, max_bytes: int) -> Response:
    answer = await client.send(request, stream=True)
    try:
        unpack = _unpacking(answer.headers.get("content-encoding", ""))
        received, taken = bytearray(), 0
        async for chunk in answer.aiter_raw():
            taken += len(chunk)
            received += unpack(chunk, max_bytes + 1 - len(received))
            if max(taken, len(received)) > max_bytes:
                raise HttpError("too_large", f"more than {max_bytes // 1024} KiB", sent=True)
        return Response(status=answer.status_code, headers=dict(answer.headers), body=bytes(received))
    except zlib.error:
        raise HttpError("broken", "its answer is not packed as it says", sent=True) from None
    finally:
        await answer.aclose()


def _unpacking(codings: str) -> Callable[[bytes, int], bytes]:
    """What makes the bytes on the wire those of the answer, at most so many at a time.

    Nothing packed is asked for. One layer of gzip is taken all the same, bounded before and after; of several, a few
    bytes could hold the loop for hours, and no deadline cuts that off.
    """
    coding = codings.strip().lower()
    if coding in ("", "identity"):
        return lambda chunk, most: chunk
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress
    raise HttpError("broken", "its answer is packed in a way that was not asked for", sent=True)


def _classified(error: httpx2.HTTPError, sent: bool) -> HttpError:
    text = str(error)
    if "SSL" in text or "certificate" in text.lower():
        return HttpError("tls", "its certificate or TLS is not accepted", sent=sent)
    if isinstance(error, httpx2.ConnectError):
        return HttpError("refused", "connection refused", sent=False)
    return HttpError("broken", f"the connection broke ({type(error).__name__})", sent=sent)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
