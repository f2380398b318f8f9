"""The figures of one route, and the bounded table of all routes."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any

from .shares import ERROR_PRIOR, ERRORS, Limits, Share, Terms
from .usual import Pace, Usual
from .window import Window

UNMATCHED = "__unmatched__"
OTHER = "__other__"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


UNKNOWN_ERRORS = ERRORS.terms(ERROR_PRIOR[0])


class Flight:
    """A request in flight: when it began, and whether it has counted as slow already."""

    __slots__ = ("began", "counted", "of")

    def __init__(self, began: float, of: Any) -> None:
        self.began = began
        self.of = of  # its cell, or the scope from which the cell can be told
        self.counted = 0  # 1 as slow, 2 as crawling


def land(cell: Cell, flight: Flight) -> None:
    """A flight that counted as slow has ended: its log entry must not count again."""
    if flight.counted:
        slow, crawl = cell.ended
        cell.ended = slow + 1, crawl + (flight.counted == 2)


class Cell:
    """One route: what came in since the last tick (`log`, `codes`), its minute, what is usual."""

    __slots__ = (
        "append", "bounds", "codes", "ended", "label", "late", "log", "matched", "method", "pace", "queue", "route",
        "stuck", "terms", "usual", "weighed", "window",
    )  # fmt: skip

    def __init__(self, route: str, method: str = "", matched: bool = True) -> None:
        self.route, self.method = route, method
        self.label = f"{method} {route}".strip()
        self.matched = matched
        self.log: array[int] = array("H")
        self.append = self.log.append  # bound once: this is the hot path
        self.codes: dict[int, int] = {}
        self.late = (0, 0)  # since the last tick: became slow, began to crawl, while in flight
        self.ended = (0, 0)  # since the last tick: of those, the ones that ended
        self.window = Window()
        self.usual = Usual()
        self.stuck = 0  # how many are late and still in flight
        self.pace = Pace()
        self.bounds: Limits | None = None
        self.terms: dict[Share, Terms] = {ERRORS: UNKNOWN_ERRORS}
        self.weighed = -1e9  # when terms were last drawn up
        self.queue: deque[Flight] | None = None  # in flight, where there is no scope to tell them apart

    def take(self) -> tuple[array[int], dict[int, int]]:
        """Hand over what came in and begin anew."""
        taken = self.log, self.codes
        self.log = array("H")
        self.append = self.log.append
        self.codes = {}
        return taken


class Cells:
    """Cells by method and route; at most `limit`, the rest share one."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._by_key: dict[tuple[str, str], Cell] = {}
        self.unmatched = Cell(UNMATCHED, matched=False)
        self._other = Cell(OTHER)

    def get(self, route: str, method: str) -> Cell:
        cell = self._by_key.get((method, route))
        return cell if cell is not None else self._add(route, method)

    def _add(self, route: str, method: str) -> Cell:
        if route == UNMATCHED:
            return self.unmatched
        if len(self._by_key) >= self._limit:
            return self._other
        name = method if method in METHODS else "OTHER"
        cell = self._by_key.get((name, route))
        if cell is None:
            cell = self._by_key[name, route] = Cell(route, name)
        return cell

    def __iter__(self) -> Iterator[Cell]:
        yield from self._by_key.values()
        yield self._other
        yield self.unmatched
