"""Who calls and what, second by second: matched and unmatched requests, clients, routes."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from . import buckets
from .cells import Cell, Cells
from .detection import Tally
from .window import SLICE_S

KEPT_S = 180
CLIENTS = 1000  # remembered within one second


class Second(NamedTuple):
    at: float
    matched: float
    unmatched: float
    clients: Counter[str]


class Traffic:
    """The last three minutes of traffic; `clients` takes the client address of each request."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._seconds: deque[Second] = deque(maxlen=KEPT_S)
        self.clients: deque[tuple[str, int] | None] = deque(maxlen=CLIENTS)

    def second(self, now: float, tallies: list[Tally]) -> None:
        matched = sum(one.n for one in tallies if one.cell.matched)
        unmatched = sum(one.n for one in tallies if not one.cell.matched)
        clients = Counter([client[0] for client in self.clients if client])
        self.clients.clear()
        if len(clients) > 50:
            clients = Counter(dict(clients.most_common(50)))
        self._seconds.append(Second(now, matched, unmatched, clients))

    def told(self, recent: float, now: float, usual: tuple[float, float]) -> dict[str, Any]:
        """Figures of (recent, now] beside those of the span `usual`."""
        return {**(self._figures(recent, now) or {}), "usual": self._figures(*usual)}

    def _figures(self, begin: float, end: float) -> dict[str, Any] | None:
        seconds = [one for one in self._seconds if begin < one.at <= end]
        if not seconds:
            return None
        matched = sum(one.matched for one in seconds) / len(seconds)
        unmatched = sum(one.unmatched for one in seconds) / len(seconds)
        clients: Counter[str] = Counter()
        for one in seconds:
            clients.update(one.clients)
        top = clients.most_common(1)[0][1] if clients else 0
        return {
            "rps": round(matched + unmatched, 2),
            "rps_matched": round(matched, 2),
            "rps_unmatched": round(unmatched, 2),
            "clients": len(clients),
            "top_client_share": round(top / max(1, sum(clients.values())), 3),
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
