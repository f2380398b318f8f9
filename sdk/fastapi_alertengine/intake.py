"""From raw logs to windows, tallies and, after a while, what is usual."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import NamedTuple

from .buckets import TOP
from .cells import Cell, Cells
from .detection import Judge, Tally
from .rows import Batch, Row
from .shares import limits, terms
from .usual import HALF_LIVES_S, Memory
from .window import CODES, FAILED, REFUSED, SLICE_S, SLICES, STREAMED, Slice, Window

EARLY = 100.0  # a route known less than this learns at once, not only from what is a minute old
REWEIGH_S = 120.0
REWEIGH_GROWTH = 1.2
PAUSE_S = 2
NONE = (0, 0)
TAINT = 3  # slices before an alarm that are not learnt from either


class Second(NamedTuple):
    """One second of all routes. Most have nothing but unsuspicious requests: `calm` holds how many."""

    tallies: list[Tally]
    calm: dict[Cell, int]
    unmatched: int


class Intake:
    """Collects what the cells took in. `total` is the window of all requests."""

    def __init__(self, cells: Cells, shares: bool) -> None:
        self._cells = cells
        self._shares = shares
        self._own: dict[Cell, Row] = {}
        self.total = Window()
        self._open: dict[Cell, list[float]] = {}
        self._calm: dict[Cell, int] = {}
        self._unmatched = 0
        self._all = array("H")
        self._codes = self._failed = self._refused = 0
        self._number = 0
        self._ended = 0  # requests ended in this second
        self._held = 0
        self._tainted: set[int] = set()
        self.service = Memory(HALF_LIVES_S[0])

    def collect(self) -> None:
        """Move logs into the windows and into the tallies of this second. Safe to repeat."""
        touched = self._cells.touched
        if not touched:
            return
        for cell in touched:
            if cell.log or cell.late != NONE or cell.ended != NONE:
                late, ended = cell.late, cell.ended
                cell.late = cell.ended = NONE
                if self._shares:
                    self._share(cell, Row(cell.method, cell.route, Counter(cell.log), late, ended))
                self._enter(cell, cell.log, late, ended)
                del cell.log[:]
        touched.clear()
        self._enter_total()

    def _share(self, cell: Cell, row: Row) -> None:
        before = self._own.get(cell)
        self._own[cell] = row if before is None else before.merge(row)

    def absorb(self, batch: Batch) -> None:
        """Take in what another worker counted."""
        for row in batch.rows:
            log = array("H", row.counts.elements())
            self._enter(self._cells.get(row.route, row.method), log, row.late, row.ended)
        self._enter_total()

    def own(self, in_flight: int) -> Batch:
        """What this worker counted since the last time, for the others."""
        self.collect()
        rows, self._own = list(self._own.values()), {}
        return Batch(in_flight, rows)

    def _enter(self, cell: Cell, log: array[int], late: tuple[int, int], ended: tuple[int, int]) -> None:
        self._all.extend(log)
        edge = cell.bounds.slow if cell.bounds is not None else TOP
        if late == ended == NONE and max(log, default=0) <= edge and not cell.tried and not cell.stuck:
            n = len(log)
            cell.window.add(log, n, 0, 0)
            self._count(cell, n)
            return
        self._weigh_in(cell, log, late, ended)

    def _count(self, cell: Cell, n: int) -> None:
        if not cell.matched:
            self._unmatched += n
        elif cell in self._open:
            self._open[cell][0] += n
        else:
            self._calm[cell] = self._calm.get(cell, 0) + n

    def _weigh_in(self, cell: Cell, log: array[int], late: tuple[int, int], ended: tuple[int, int]) -> None:
        """Enter a log with anything in it that may speak for a fault."""
        codes = [key for key in log if key >= CODES]
        failed = sum(key >= FAILED for key in codes)
        refused = sum(key >= REFUSED for key in codes) - failed
        n = len(log) - len(codes)
        cell.window.add(log, n, failed, refused)
        self._codes += len(codes)
        self._failed += failed
        self._refused += refused
        if not cell.matched:
            self._unmatched += n
            return
        early, crept = late[0] - ended[0], late[1] - ended[1]
        cell.stuck += early
        sums = self._open.get(cell)
        if sums is None:
            sums = self._open[cell] = [self._calm.pop(cell, 0), 0.0, 0.0, 0.0, 0.0]
        slow = crawling = 0
        if cell.bounds is not None:
            limit, worse = cell.bounds
            slow = sum(limit < key < CODES for key in log)
            crawling = sum(worse < key < CODES for key in log) if slow else 0
            streams = codes.count(STREAMED)
            slow, crawling = max(0, slow - streams), max(0, crawling - streams)
        for i, more in enumerate((n + early, failed, slow + early, crawling + crept, refused)):
            sums[i] += more

    def _enter_total(self) -> None:
        n = len(self._all) - self._codes
        self._ended += n
        self.total.add(self._all, n, self._failed, self._refused)
        del self._all[:]
        self._codes = self._failed = self._refused = 0

    def second(self) -> Second | None:
        """The second that ends now, with what was held back before it; None if it is held back.

        When the whole process pauses, all that was in flight is late at once: that is one event,
        not one in every second of the pause. So seconds in which requests were late and none ended
        are joined with the next, two at most.
        """
        late = sum(sums[2] for sums in self._open.values())
        if late and not self._ended and self._held < PAUSE_S:
            self._held += 1
            return None
        self._held = self._ended = 0
        done, self._open = self._open, {}
        calm, self._calm = self._calm, {}
        unmatched, self._unmatched = self._unmatched, 0
        return Second([Tally(cell, *_fitting(sums)) for cell, sums in done.items()], calm, unmatched)

    def roll(self, now: float, judge: Judge, in_flight: int) -> None:
        """Once a second: begin a new slice where one is due, and learn from the old ones.

        `in_flight` bounds how many may be late: those of a worker that died end nowhere.
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
            cell.stuck = min(cell.stuck, in_flight)
            for old in cell.window.roll(number):
                if not cell.tried or not judge.doubts(now, cell):
                    self._learn(now, cell, old)
            if early and cell.usual.weight < EARLY and cell.window.last not in self._tainted:
                young = cell.window.learn_last()
                if young is not None:
                    self._learn(now, cell, young)
        self._tainted = {one for one in self._tainted if one > number - 2 * SLICES}

    def _learn(self, now: float, cell: Cell, old: Slice) -> None:
        if old.number in self._tainted:
            return
        n = sum(count for _, count in old.counts)
        errors = sum(count for code, count in old.codes.items() if code >= 500)
        refused = sum(count for code, count in old.codes.items() if 400 <= code < 500)
        cell.usual.learn(now, old.counts, errors, refused)
        cell.pace.learn(now, n - errors - refused, SLICE_S)
        self.service.learn((), errors, refused)
        self.service.weight += n
        if now - cell.weighed >= REWEIGH_S or cell.usual.weight >= REWEIGH_GROWTH * cell.heft:
            self.weigh(now, cell)

    def weigh(self, now: float, cell: Cell) -> None:
        """Draw up anew what the requests of a route are weighed against."""
        cell.weighed, cell.heft = now, cell.usual.weight
        cell.bounds = limits(cell.usual) if cell.matched else None
        cell.terms = terms(cell.usual, cell.bounds, self.service)


def _fitting(sums: list[float]) -> list[float]:
    """Hits within 0 and n: what ended early or late may tip a single second over."""
    n = max(0.0, sums[0])
    return [n, *(max(0.0, min(n, hits)) for hits in sums[1:])]
