"""Times every request of one httpx (or httpx2) client, plain or async, as a dependency by host."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from ..dependency import Call
from ..monitor import Monitor


def time_httpx(monitor: Monitor, client: Any, name: str | None = None) -> None:
    """From now on each `send` of the client is timed to its response headers, or to its body where
    that is read at once. 429 and 5xx count as failures; `name` stands for the host.
    """
    send = client.send
    if inspect.iscoroutinefunction(send):
        client.send = _timed_async(monitor, send, name)
    else:
        client.send = _timed(monitor, send, name)


def _timed(monitor: Monitor, send: Any, name: str | None) -> Any:
    @functools.wraps(send)
    def timed(request: Any, **options: Any) -> Any:
        with monitor.dependency("http", name or request.url.host) as call:
            return _judged(call, send(request, **options))

    return timed


def _timed_async(monitor: Monitor, send: Any, name: str | None) -> Any:
    @functools.wraps(send)
    async def timed(request: Any, **options: Any) -> Any:
        with monitor.dependency("http", name or request.url.host) as call:
            return _judged(call, await send(request, **options))

    return timed


def _judged(call: Call, response: Any) -> Any:
    if response.status_code >= 500 or response.status_code == 429:
        call.fail(response.status_code)
    return response
