"""A transport for packages that bring their own HTTP: guarded like ours, and never more than so many bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from alertengine.http import MAX_BYTES, GuardedTransport


class TooMuch(httpx2.TransportError):
    """An answer that is too long, or packed."""


class CappedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport | None = None, most: int = MAX_BYTES) -> None:
        self._inner = inner or GuardedTransport()
        self._most = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A packed answer could be a thousand times as long as what arrives.
        request.headers["accept-encoding"] = "identity"
        answer = await self._inner.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            await answer.aclose()
            raise TooMuch("its answer is packed, which was not asked for")
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        answer.stream = _Capped(answer.stream, self._most)
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, most: int) -> None:
        self._inner = inner
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._inner:
            seen += len(chunk)
            if seen > self._most:
                raise TooMuch(f"its answer has more than {self._most // 1024} KiB")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
