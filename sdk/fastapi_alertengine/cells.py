"""The figures of one route, and the bounded table of all routes."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any

from .shares import ERROR_PRIOR, ERRORS, Limits, Terms
from .usual import Pace, Usual
from .window import Window

UNMATCHED = "__unmatched__"
OTHER = "__other__"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

Flight = tuple[float, Any]  # when a request began, and its cell or the scope from which that can be told
UNKNOWN: tuple[Terms | None, ...] = (ERRORS.terms(ERROR_PRIOR[0]), None, None, None)


class Cell:
    """One route: what came in since the last tick (`log`, keys as in a window), its minute, what is usual."""

    __slots__ = (
        "append", "bounds", "ended", "heft", "label", "late", "log", "matched", "method", "pace", "queue", "route",
        "stuck", "terms", "tried", "usual", "weighed", "window",
    )  # fmt: skip

    def __init__(self, route: str, method: str = "", matched: bool = True) -> None:
        self.route, self.method = route, method
        self.label = f"{method} {route}".strip()
        self.matched = matched
        self.log: array[int] = array("H")
        self.append = self.log.append  # bound once: this is the hot path
        self.late = (0, 0)  # since the last tick: became slow, began to crawl, while in flight
        self.ended = (0, 0)  # since the last tick: of those, the ones that ended
        self.window = Window()
        self.usual = Usual()
        self.stuck = 0  # how many are late and still in flight
        self.pace = Pace()
        self.bounds: Limits | None = None
        self.terms = UNKNOWN
        self.weighed = -1e9  # when bounds and terms were last drawn up
        self.heft = 0.0  # and how much was known then
        self.tried = 0  # tests of it that hold any evidence
        self.queue: deque[Flight] | None = None  # in flight, where there is no scope to tell them apart

    def landed(self, late: int) -> None:
        """A flight that counted as slow (1) or crawling (2) has ended: its log entry must not count again."""
        slow, crawl = self.ended
        self.ended = slow + 1, crawl + (late == 2)


class Cells:
    """Cells by method and route; at most `limit`, the rest share one."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._by_key: dict[tuple[str, str], Cell] = {}
        self.unmatched = Cell(UNMATCHED, matched=False)
        self._other = Cell(OTHER)
        self.touched: list[Cell] = []  # since the last tick; some perhaps twice

    def get(self, route: str, method: str) -> Cell:
        cell = self._by_key.get((method, route))
        return cell if cell is not None else self._add(route, method)

    def _add(self, route: str, method: str) -> Cell:
        if route == UNMATCHED:
            return self.unmatched
        name = method if method in METHODS else "OTHER"
        cell = self._by_key.get((name, route))
        if cell is None:
            if len(self._by_key) >= self._limit:
                return self._other
            cell = self._by_key[name, route] = Cell(route, name)
        return cell

    def __iter__(self) -> Iterator[Cell]:
        yield from self._by_key.values()
        yield self._other
        yield self.unmatched
