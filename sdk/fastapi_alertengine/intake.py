"""From raw logs to windows, tallies and, after a while, what is usual."""

from __future__ import annotations

from collections import Counter

from .cells import Cell, Cells
from .detection import Judge, Tally
from .rows import Batch, Row
from .shares import limits, terms
from .usual import HALF_LIVES_S, Memory
from .window import SLICE_S, SLICES, Slice, Window

EARLY = 100.0  # a route known less than this learns at once, not only from what is a minute old
REWEIGH_S = 30.0
PAUSE_S = 2
NONE = (0, 0)
TAINT = 3  # slices before an alarm that are not learnt from either


class Intake:
    """Collects what the cells took in. `total` is the window of all requests."""

    def __init__(self, cells: Cells, shares: bool) -> None:
        self._cells = cells
        self._shares = shares
        self._own: dict[Cell, Row] = {}
        self.total = Window()
        self._open: dict[Cell, list[float]] = {}
        self._number = 0
        self._ended = 0  # requests ended in this second
        self._held = 0
        self._tainted: set[int] = set()
        self.service = Memory(HALF_LIVES_S[0])

    def collect(self) -> None:
        """Move logs into the windows and into the tallies of this second. Safe to repeat."""
        for cell in self._cells:
            if cell.log or cell.codes or cell.late != NONE or cell.ended != NONE:
                self._collect(cell)

    def _collect(self, cell: Cell) -> None:
        log, codes = cell.take()
        row = Row(cell.method, cell.route, Counter(log), Counter(codes), cell.late, cell.ended)
        cell.late = cell.ended = (0, 0)
        self._enter(cell, row)
        if self._shares:
            before = self._own.get(cell)
            self._own[cell] = row if before is None else before.merge(row)

    def absorb(self, batch: Batch) -> None:
        """Take in what another worker counted."""
        for row in batch.rows:
            self._enter(self._cells.get(row.route, row.method), row)

    def own(self, in_flight: int) -> Batch:
        """What this worker counted since the last time, for the others."""
        self.collect()
        rows, self._own = list(self._own.values()), {}
        return Batch(in_flight, rows)

    def _enter(self, cell: Cell, row: Row) -> None:
        cell.window.add(row.counts, row.codes)
        self.total.add(row.counts, row.codes)
        n = sum(row.counts.values())
        self._ended += n
        early = row.late[0] - row.ended[0]
        cell.stuck += early
        sums = self._open.setdefault(cell, [0.0] * 5)
        sums[0] += n + early
        if cell.bounds is not None:
            slow, crawl = cell.bounds
            sums[1] += early
            sums[2] += row.late[1] - row.ended[1]
            for bucket, count in row.counts.items():
                if bucket > slow:
                    sums[1] += count
                    sums[2] += count if bucket > crawl else 0
        for code, count in row.codes.items():
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

    def roll(self, now: float, judge: Judge) -> None:
        """Once a second: begin a new slice where one is due, and learn from the old ones.

        What came in under an alarm, or shortly before it, is not usual; nor is what a route did
        while its own tests were far up.
        """
        number = int(now // SLICE_S)
        if judge.alarmed:
            self._tainted.update(range(self._number - TAINT, number + 1))
        if number == self._number:
            return
        self._number = number
        if number % 12 == 0:
            self.service.forget(12.0 * SLICE_S)
        self.total.roll(number)
        early = not judge.doubtful
        for cell in self._cells:
            for old in cell.window.roll(number):
                if not judge.doubts(now, cell.label):
                    self._learn(now, cell, old)
            young = cell.window.last_closed()
            if young is not None and early and cell.usual.weight < EARLY:
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
        self.service.learn((), errors, refused)
        self.service.weight += n
        if now - cell.weighed >= REWEIGH_S or cell.usual.weight < 1000:
            self.weigh(now, cell)

    def weigh(self, now: float, cell: Cell) -> None:
        """Draw up anew what the requests of a route are weighed against."""
        cell.weighed = now
        cell.bounds = limits(cell.usual) if cell.matched else None
        cell.terms = terms(cell.usual, cell.bounds, self.service)


def _fitting(sums: list[float]) -> list[float]:
    """Hits within 0 and n: what ended early or late may tip a single second over."""
    n = max(0.0, sums[0])
    return [n, *(max(0.0, min(n, hits)) for hits in sums[1:])]
