"""Who calls and what, second by second: matched and unmatched requests, clients, routes."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from . import buckets
from .cells import Cell, Cells
from .window import CODES, SLICE_S, STREAMED

KEPT_S = 180
CLIENTS = 1000  # requests whose client is looked at within one second
TOP = 3  # clients remembered of each second


class Second(NamedTuple):
    """`top` holds the busiest clients, `calls` how many requests there were of how many `clients`."""

    at: float
    matched: float
    unmatched: float
    top: tuple[tuple[str, int], ...]
    calls: int
    clients: int


class Traffic:
    """The last three minutes of traffic; `clients` takes the client address of each request."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._seconds: deque[Second] = deque(maxlen=KEPT_S)
        self.clients: deque[tuple[str, int] | None] = deque(maxlen=CLIENTS)

    def second(self, now: float, matched: float, unmatched: float) -> None:
        try:
            seen = [str(client[0]) for client in self.clients if client]
        except (TypeError, LookupError):  # a server's addresses of an odd kind tell nothing
            seen = []
        self.clients.clear()
        each = Counter(seen)
        top = tuple(each.most_common(TOP))
        self._seconds.append(Second(now, matched, unmatched, top, len(seen), len(each)))

    def told(self, recent: float, now: float, usual: tuple[float, float]) -> dict[str, Any]:
        """Figures of (recent, now] beside those of the span `usual`."""
        silent = {"silent_s": self._silent_s(now)}
        return {**(self._figures(recent, now) or {}), **silent, "usual": self._figures(*usual)}

    def _silent_s(self, now: float) -> float | None:
        """Since the last request; None where there was none."""
        last = next((one.at for one in reversed(self._seconds) if one.matched or one.unmatched), None)
        return None if last is None else round(max(0.0, now - last), 1)

    def _figures(self, begin: float, end: float) -> dict[str, Any] | None:
        seconds = [one for one in self._seconds if begin < one.at <= end]
        if not seconds:
            return None
        matched = sum(one.matched for one in seconds) / len(seconds)
        unmatched = sum(one.unmatched for one in seconds) / len(seconds)
        calls: Counter[str] = Counter()
        for one in seconds:
            for client, n in one.top:
                calls[client] += n
        top = max(calls.values(), default=0)
        return {
            "rps": round(matched + unmatched, 2),
            "rps_matched": round(matched, 2),
            "rps_unmatched": round(unmatched, 2),
            "clients": max(len(calls), *(one.clients for one in seconds)),
            "top_client_share": round(top / max(1, sum(one.calls for one in seconds)), 3),
        }

    def routes(self, now: float) -> list[dict[str, Any]]:
        """The busiest routes of the last ten to fifteen seconds, each beside what is usual for it."""
        since = int(now // SLICE_S) - 2
        rows = [row for cell in self._cells if (row := _route(cell, since))]
        return sorted(rows, key=lambda row: -int(row["sample_size"]))[:20]


def _route(cell: Cell, since: int) -> dict[str, Any] | None:
    counts, codes = cell.window.recent(since)
    n = sum(counts)
    if not n:
        return None
    p50, p95 = buckets.quantiles(counts, (0.5, 0.95))
    codes.pop(STREAMED - CODES, None)
    status = {str(code): count for code, count in sorted(codes.items())}
    plain = n - sum(codes.values())
    return {
        "route": cell.label,
        "sample_size": n,
        "p50_ms": round(1000 * p50, 2),
        "p95_ms": round(1000 * p95, 2),
        "error_rate": round(sum(count for code, count in codes.items() if code >= 500) / n, 4),
        "client_error_rate": round(sum(count for code, count in codes.items() if 400 <= code < 500) / n, 4),
        "status": {"200": plain, **status} if plain else status,
        "usual": _usual(cell),
    }


def _usual(cell: Cell) -> dict[str, Any] | None:
    usual = cell.usual.hours
    if usual.weight < 1:
        return None
    return {
        "sample_size": round(usual.weight),
        "p50_ms": round(1000 * usual.quantile(0.5), 2),
        "p95_ms": round(1000 * usual.quantile(0.95), 2),
        "error_rate": round(usual.errors / usual.weight, 4),
        "client_error_rate": round(usual.refused / usual.weight, 4),
    }
