"""The engine without the web: takes in requests, judges them once a second, reports."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

from . import config as settings
from . import health, report
from .absolute import Watch
from .buckets import index, value
from .cells import Cell, Cells, Flight
from .dependency import Call, Dependencies
from .detection import Judge
from .faults import Faults
from .flow import Flow
from .intake import Intake, Second
from .marks import Marks
from .recovery import Recoveries, Recovery
from .routes import Routes
from .rows import Batch
from .runtime import Runtime
from .storage import Memory, Storage
from .traffic import Traffic
from .window import WINDOW_S, key

Hook = TypeVar("Hook", bound=Callable[..., Any])
IDLE_S = 900.0  # a longer pause is one of the process, not of its traffic
IN_FLIGHT_SEEN = 5000
FLOWING = 3  # in `late`: its response is under way, so that it does not hang
NOTHING = Second([], {}, 0)


class Monitor:
    """Health of one service, from what it is told.

    `now` gives seconds on a clock that never goes back; there is no other clock and no thread.
    Not for use from several threads at once, except for `dependency`.
    """

    def __init__(
        self,
        *,
        service: str = "default",
        now: Callable[[], float] = time.monotonic,
        config: settings.AlertConfig | Mapping[str, Any] | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.service = service
        self.config = settings.coerce(config)
        self.now = now
        self.started = now()
        self.due = self.started + 1.0
        self.anchor = time.time() - self.started
        self._joined = False
        self.cells = Cells(self.config.max_routes)
        self.routes = Routes(self.cells)
        self.storage = storage or Memory()
        self.intake = Intake(self.cells, shares=storage is not None)
        self.judge = Judge()
        self.health = health.Health()
        self.watch = Watch(self.config)
        self.marks = Marks()
        self.recoveries = Recoveries()
        self.live: dict[int, Flight] = {}  # by the flight's own id
        self.late: dict[
            int, int
        ] = {}  # of those, the ones that count already: 1 as slow, 2 as crawling; or FLOWING
        self.calls = Dependencies()
        self.faults = Faults()
        self.runtime = Runtime()
        self.traffic = Traffic(self.cells)

    def begin(self, route: str, method: str) -> None:
        """A request for the template `route` arrived."""
        now = self._tick()
        cell = self.cells.get(route, method)
        flight = now, cell
        if cell.queue is None:
            cell.queue = deque()
        cell.queue.append(flight)
        self.live[id(flight)] = flight

    def record(self, route: str, method: str, status: int, duration_s: float) -> None:
        """A request ended. The one in flight of that route and method that began at about the right
        time is taken as the one, else the oldest."""
        self._tick()
        cell = self.cells.get(route, method)
        if cell.queue:
            flight = _its_own(cell.queue, self.now() - duration_s)
            self.land(cell, flight)
        if not cell.log:
            self.cells.touched.append(cell)
        cell.append(index(duration_s))
        if status != 200:
            cell.append(key(status))

    def land(self, cell: Cell, flight: Flight) -> None:
        """A request is no longer in flight."""
        del self.live[id(flight)]
        if self.late:
            late = self.late.pop(id(flight), 0)
            if late:
                cell.landed(late)

    def mark(self, kind: str, **info: Any) -> None:
        """Something happened to the process: `mark("startup", version="1.4.2")`."""
        now = self._tick()
        self.marks.add(now, kind, info)
        if kind in ("startup", "deploy"):
            self.judge.started(now)

    def dependency(self, kind: str, name: str) -> Call:
        """Times a call the app makes: `with monitor.dependency("db", "orders") as call: ...`."""
        return Call(self.calls.pending, kind, name)

    def recovery(self, name: str, preview: Callable[[], Any] | None = None) -> Callable[[Hook], Hook]:
        """Register a function without arguments, plain or async, as a recovery action."""

        def register(function: Hook) -> Hook:
            self.recoveries.add(Recovery(name, function, preview))
            return function

        return register

    def report(self) -> dict[str, Any]:
        """The health report, as the endpoint gives it. Reading it changes nothing."""
        now = self._tick()
        self.intake.collect()
        return report.build(self, now)

    def wall(self, at: float) -> str:
        """A time of `now` as RFC 3339 in UTC."""
        told = datetime.fromtimestamp(self.anchor + at, timezone.utc)
        return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _tick(self) -> float:
        now = self.now()
        if now >= self.due:
            self.advance(now)
        return now

    def awake(self) -> None:
        """The app really begins now; what was imported and set up before does not count as its time."""
        self.started = self.now()
        self.due = self.started + 1.0
        self.anchor = time.time() - self.started

    def advance(self, now: float) -> None:
        """Judge every whole second up to `now`."""
        if now - self.due > IDLE_S:
            self.due = now - WINDOW_S
            self.judge.flow = Flow()
        while self.due <= now:
            self._second(self.due)
            self.due += 1.0

    def join(self, now: float) -> None:
        """Live through the last minute of the workers that are there already, so that this one agrees
        with them at once, also about an alarm that is open."""
        if self._joined:
            return
        self._joined = True
        past = deque(self.storage.past(now))
        if not past:
            return
        self.judge.warm()
        for ago in range(WINDOW_S, 0, -1):
            batches = []
            while past and past[0][0] <= now - ago:
                batches.append(past.popleft()[1])
            self._judge(now - ago, batches)
        for _, batch in past:
            self.intake.absorb(batch)

    def _second(self, now: float) -> None:
        self.join(now)
        self._stalls(now)
        self._judge(now, self.storage.exchange(now, self.intake.own(len(self.live))))

    def _judge(self, now: float, batches: list[Batch]) -> None:
        for batch in batches:
            self.intake.absorb(batch)
        second = self.intake.second()
        if second is None:
            second = NOTHING
        self.judge.step(now, second.tallies, second.calm)
        matched = sum(one.n for one in second.tallies) + sum(second.calm.values())
        self.traffic.second(now, matched, second.unmatched)
        self.calls.collect(now, self.judge.onset)
        self.intake.roll(now, self.judge, len(self.live) + self.storage.in_flight)
        self.watch.step(now, self.cells, self.intake.total)
        self.health.step(self.judge, list(self.watch.breaches.values()))

    def _stalls(self, now: float) -> None:
        """Requests still in flight over their route's limit are slow already."""
        for seen, flight in enumerate(self.live.values()):
            age = now - flight[0]
            if age < 0.05 or seen > IN_FLIGHT_SEEN:  # oldest first: all others are younger
                return
            if self.late.get(id(flight), 0) < 2:
                self._stall(flight, age)

    def _stall(self, flight: Flight, age: float) -> None:
        of = flight[1]
        cell = of if isinstance(of, Cell) else self.routes.cell(of, 0)
        if cell.bounds is None:
            return
        late = self.late.get(id(flight), 0)
        for i, bound in enumerate(cell.bounds):
            if late == i and age > value(bound):
                late = self.late[id(flight)] = i + 1
                slow, crawl = cell.late
                cell.late = (slow + 1, crawl) if i == 0 else (slow, crawl + 1)
                self.cells.touched.append(cell)


def _its_own(queue: deque[Flight], began: float) -> Flight:
    """Take out the flight that began when the request did, to 50 ms; else the oldest."""
    for i, flight in enumerate(queue):
        if abs(flight[0] - began) < 0.05:
            del queue[i]
            return flight
        if flight[0] > began:
            break
    return queue.popleft()
