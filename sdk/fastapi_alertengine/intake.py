"""From raw logs to windows, tallies and, after a while, what is usual."""

from __future__ import annotations

from .cells import Cell, Cells
from .detection import Tally
from .shares import limits, terms
from .usual import HALF_LIVES_S, Memory
from .window import SLICE_S, SLICES, Slice, Window

EARLY = 100.0  # a route known less than this learns at once, not only from what is a minute old
REWEIGH_S = 30.0
PAUSE_S = 2
TAINT = 3  # slices before an alarm that are not learnt from either


class Intake:
    """Collects what the cells took in. `total` is the window of all requests."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.total = Window()
        self._open: dict[Cell, list[float]] = {}
        self._number = 0
        self._ended = 0  # requests ended in this second
        self._held = 0
        self._tainted: set[int] = set()
        self._service = Memory(HALF_LIVES_S[0])

    def collect(self) -> None:
        """Move logs into the windows and into the tallies of this second. Safe to repeat."""
        for cell in self._cells:
            if cell.log or cell.codes or cell.stalled[0] or cell.stalled[1] or cell.credit[0]:
                self._collect(cell)

    def _collect(self, cell: Cell) -> None:
        log, codes = cell.take()
        self._ended += len(log)
        cell.window.add(log, codes)
        self.total.add(log, codes)
        sums = self._open.setdefault(cell, [0.0] * 5)
        sums[0] += len(log) + cell.stalled[0] - cell.credit[0]
        if cell.bounds is not None:
            slow, crawl = cell.bounds
            sums[1] += sum([bucket > slow for bucket in log]) + cell.stalled[0] - cell.credit[0]
            sums[2] += sum([bucket > crawl for bucket in log]) + cell.stalled[1] - cell.credit[1]
        cell.stuck += cell.stalled[0] - cell.credit[0]
        cell.stalled, cell.credit = [0, 0], [0, 0]
        for code, count in codes.items():
            if code >= 400:
                sums[3 if code >= 500 else 4] += count

    def tallies(self) -> list[Tally]:
        """The second that ends now; with it up to two before in which requests were late and none ended.

        When the whole process pauses, all that was in flight is late at once: that is one event,
        not one in every second of the pause.
        """
        self.collect()
        late = sum(sums[1] for sums in self._open.values())
        if late and not self._ended and self._held < PAUSE_S:
            self._held += 1
            return []
        self._held = self._ended = 0
        done, self._open = self._open, {}
        return [Tally(cell, *_fitting(sums)) for cell, sums in done.items()]

    def roll(self, now: float, alarmed: bool, doubtful: bool) -> None:
        """Once a second: begin a new slice where one is due, and learn from the old ones."""
        number = int(now // SLICE_S)
        if alarmed:
            self._tainted.update(range(self._number - TAINT, number + 1))
        if number == self._number:
            return
        self._number = number
        if number % 12 == 0:
            self._service.forget(12.0 * SLICE_S)
        self.total.roll(number)
        for cell in self._cells:
            for old in cell.window.roll(number):
                self._learn(now, cell, old)
            young = cell.window.last_closed()
            if young is not None and cell.usual.weight < EARLY and not doubtful:
                self._learn(now, cell, young)
        self._tainted = {one for one in self._tainted if one > number - 2 * SLICES}

    def _learn(self, now: float, cell: Cell, old: Slice) -> None:
        if old.learnt or old.number in self._tainted:
            return
        old.learnt = True
        counts = old.counts()
        cell.usual.learn(now, counts, old.codes)
        n = sum(count for _, count in counts)
        errors = sum(count for code, count in old.codes.items() if code >= 500)
        refused = sum(count for code, count in old.codes.items() if 400 <= code < 500)
        cell.pace.learn(now, n - errors - refused, SLICE_S)
        self._service.learn((), errors, refused)
        self._service.weight += n
        if now - cell.weighed >= REWEIGH_S or cell.usual.weight < 1000:
            cell.weighed = now
            cell.bounds = limits(cell.usual) if cell.matched else None
            cell.terms = terms(cell.usual, cell.bounds, self._service)


def _fitting(sums: list[float]) -> list[float]:
    """Hits within 0 and n: what ended early or late may tip a single second over."""
    n = max(0.0, sums[0])
    return [n, *(max(0.0, min(n, hits)) for hits in sums[1:])]
