"""The ASGI middleware: two clock readings, one log entry, nothing else in the request's way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from math import log
from typing import Any

from .buckets import CEILING_S, FLOOR_S, PER_E, SCALE, index
from .cells import Cell, Flight
from .endpoint import Endpoint
from .monitor import FLOWING, Monitor
from .ticker import Ticker
from .window import STREAMED, key

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSED = 499  # the client went away, or the server cancelled the request
STREAM_S = 10.0  # a stream that lasts longer is as long as its client stays


class MetricsMiddleware:
    """Times each request to its last body byte; an exception that escapes counts as 500."""

    def __init__(self, app: App, monitor: Monitor, endpoint: Endpoint, ticker: Ticker) -> None:
        self.app = app
        self.monitor = monitor
        self.endpoint = endpoint
        self.ticker = ticker
        self.path = endpoint.path
        self.now = monitor.now
        self.live = monitor.live
        self.late = monitor.late
        self.touched = monitor.cells.touched.append
        self.cell = monitor.routes.cell
        self.client = monitor.traffic.clients.append

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.other(scope, receive, send)
            return
        if self.path in scope["path"] and self.endpoint.owns(scope):
            self.ticker.look()
            await self.endpoint(scope, receive, send)
            return
        status = 500
        cell: Cell | None = None

        def tap(message: Message) -> Awaitable[None]:
            nonlocal status, cell
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            elif cell is None and kind == "http.response.body":
                if not message.get("more_body"):
                    cell = self.finish(flight, status)
                else:
                    self.late.setdefault(id(flight), FLOWING)
            return send(message)

        began = self.now()
        if began >= self.monitor.due:
            self.ticker.catch_up(began)
        flight = began, scope
        self.live[id(flight)] = flight
        try:
            await self.app(scope, receive, tap)
        except BaseException as error:
            self.failed(flight, status, error, cell, send)
            raise
        if cell is None:
            self.finish(flight, status)

    async def other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Websockets pass unmeasured; the lifespan starts and stops the clockwork."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        self.ticker.start()
        try:
            await self.app(scope, receive, send)
        finally:
            self.ticker.stop()

    def finish(self, flight: Flight, status: int) -> Cell:
        """Enter a request that has ended. Whatever is odd about it must not reach the app."""
        began, scope = flight
        took = self.now() - began
        try:
            del self.live[id(flight)]
            cell = self.cell(scope, status)
            if not cell.log:
                self.touched(cell)
            cell.append(int(log(took * SCALE) * PER_E) if FLOOR_S < took < CEILING_S else index(took))
            if status != 200:
                cell.append(key(status))
            if self.late:
                self.landed(flight, cell)
            self.client(scope.get("client"))
        except Exception:
            self.late.pop(id(flight), None)
            return self.monitor.cells.unmatched
        return cell

    def landed(self, flight: Flight, cell: Cell) -> None:
        """It may have counted as slow while it was in flight, or have been a stream."""
        late = self.late.pop(id(flight), 0)
        if late != FLOWING:
            if late:
                cell.landed(late)
        elif self.now() - flight[0] > STREAM_S:
            cell.append(STREAMED)

    def failed(
        self, flight: Flight, status: int, error: BaseException, ended: Cell | None, send: Send
    ) -> None:
        """Enter a request that an exception ended, even after its response had begun or ended."""
        try:
            gone = _gone(error, send)
        except Exception:  # an exception of an odd class, or a group without end
            gone = False
        if ended is None:
            ended = self.finish(flight, CLOSED if gone else 500)
        elif not gone and status < 500:
            self.touched(ended)
            if status != 200 and key(status) in ended.log:
                ended.log.remove(key(status))
            ended.append(key(500))
        if not gone:
            self.monitor.faults.add(self.monitor.now(), error, ended.label)


def _gone(error: BaseException, send: Send) -> bool:
    """Whether the server cancelled the request or the client left, which is no fault of the service."""
    several = getattr(error, "exceptions", ())  # older Starlette lets a group escape
    if isinstance(several, tuple) and several:
        return all(_gone(one, send) for one in several)
    if not isinstance(error, Exception) or type(error).__name__ == "ClientDisconnect":
        return True
    return isinstance(error, OSError) and _raised_in(error, getattr(send, "__code__", None))


def _raised_in(error: OSError, code: object) -> bool:
    """An app has OSErrors of its own, so it is asked whether this one came through the function `code`."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            return True
        trace = trace.tb_next
    return False
