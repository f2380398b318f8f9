"""From raw logs to windows, tallies and, after a while, what is usual."""

from __future__ import annotations

from .cells import Cell, Cells
from .detection import Tally, slow_limit
from .window import SLICE_S, SLICES, Slice, Window

EARLY = 100.0  # a route known less than this learns at once, not only from what is a minute old
TAINT = 3  # slices before an alarm that are not learnt from either


class Intake:
    """Collects what the cells took in. `total` is the window of all requests."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.total = Window()
        self._open: dict[Cell, list[float]] = {}
        self._number = 0
        self._tainted: set[int] = set()

    def collect(self) -> None:
        """Move logs into the windows and into the tallies of this second. Safe to repeat."""
        for cell in self._cells:
            if cell.log or cell.stalled or cell.credit or cell.codes:
                self._collect(cell)

    def _collect(self, cell: Cell) -> None:
        log, codes = cell.take()
        cell.window.add(log, codes)
        self.total.add(log, codes)
        limit = cell.limit
        slow = 0 if limit is None else sum([bucket > limit for bucket in log])
        early = cell.stalled - cell.credit
        cell.stalled = cell.credit = 0
        sums = self._open.setdefault(cell, [0.0, 0.0, 0.0, 0.0])
        sums[0] += len(log) + early
        sums[1] += slow + early
        for code, count in codes.items():
            if code >= 400:
                sums[2 if code >= 500 else 3] += count

    def tallies(self) -> list[Tally]:
        """The second that ends now."""
        self.collect()
        done, self._open = self._open, {}
        return [
            Tally(cell, max(0.0, n), max(0.0, min(n, slow)), e, r) for cell, (n, slow, e, r) in done.items()
        ]

    def roll(self, now: float, alarmed: bool, doubtful: bool) -> None:
        """Once a second: begin a new slice where one is due, and learn from the old ones."""
        number = int(now // SLICE_S)
        if alarmed:
            self._tainted.update(range(self._number - TAINT, number + 1))
        if number == self._number:
            return
        self._number = number
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
        cell.usual.learn(now, old.counts(), old.codes)
        cell.limit = slow_limit(cell)
