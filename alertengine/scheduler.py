"""What runs by itself: a poll loop a service, the outbox, and the coarse jobs.

The fine loops are paced by the monotonic clock. The coarse jobs are APScheduler's, which goes by the wall clock: where
that is set, they begin anew, so that nothing waits for a time that has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]

from alertengine.core.model import Service
from alertengine.pipeline import limits
from alertengine.pipeline.advance import advance, sweep
from alertengine.pipeline.deliver import begin_due
from alertengine.pipeline.emergency import remember
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.mode import look
from alertengine.pipeline.next_link import send_next_links
from alertengine.pipeline.poll import poll
from alertengine.pipeline.receipts import watch
from alertengine.pipeline.taps import chatting, hear
from alertengine.ports import Chatting, Clock
from alertengine.store import directory

log = logging.getLogger(__name__)

SWEEP_S = 0.5
REFRESH_S = 2.0
OUTBOX_S = 0.5
WATCH_S = 2.0
NEXT_LINKS_S = 5.0
KEEP_S = 1.0
LISTEN_AGAIN_S = 15.0
DRAIN_S = 8.0
SET_S = 2.0
"""A wall clock that moves this much against the monotonic one was set."""
VERIFY_S = 60.0
REMEMBER_S = 30.0
VERIFY_SHARE = 0.01
"""At most this share of the time goes into verifying the ledger, however long it has grown."""


Job = tuple[float, Callable[[], Awaitable[object]]]
"""What is done again and again, and after how many seconds."""


class Scheduler:
    """One task a service, so that a target that hangs delays no other."""

    def __init__(self, engine: Engine, interval_s: float, jobs: Sequence[Job] = ()) -> None:
        self._engine = engine
        self._interval_s = interval_s
        self._more = jobs
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._polled: dict[str, Service] = {}
        self._nudges: dict[str, asyncio.Event] = {}
        self._outbox: asyncio.Task[None] | None = None
        self._listeners: list[asyncio.Task[None]] = []
        self._verify_after = 0.0
        self._stopping = asyncio.Event()
        self._jobs: list[asyncio.Task[None]] = []
        self._coarse = Coarse(engine.clock)

    async def start(self) -> None:
        await self.refresh()
        self._outbox = asyncio.create_task(self._deliver_forever())
        self._every(SWEEP_S, lambda: sweep(self._engine))
        self._every(REFRESH_S, self.refresh)
        self._every(WATCH_S, lambda: watch(self._engine))
        self._every(NEXT_LINKS_S, lambda: send_next_links(self._engine))
        self._every(REFRESH_S, lambda: look(self._engine))
        self._every(KEEP_S, lambda: limits.keep(self._engine))
        self._every(REFRESH_S, self._coarse.follow)
        coarse = [(VERIFY_S, self._verify), (REMEMBER_S, lambda: remember(self._engine)), *self._more]
        self._coarse.start([(seconds, self._whole(work)) for seconds, work in coarse])
        self._listeners = [asyncio.create_task(self._listen_forever(c)) for c in chatting(self._engine)]
        if self._engine.model is not None:
            self._engine.spawn(self._engine.model.prepare())

    async def stop(self) -> None:
        """Stop asking, finish what runs: a recovery that started gets a moment to be recorded."""
        self._coarse.stop()
        self._stopping.set()
        background = [*self._polls.values(), *self._listeners, *([self._outbox] if self._outbox else [])]
        # What a model would still say is not waited for: the message goes without it.
        for task in [*background, *self._engine.memory.asking]:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        # What is finished may begin more (an approval its recovery), so until nothing is left.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*self._jobs)
                while running := list(self._engine.memory.tasks):
                    await asyncio.wait(running)

    async def refresh(self) -> None:
        """Poll exactly the services of the active tenants."""
        current = {s.id: s for s in await self._engine.store.fetch(directory.services())}
        for service_id in self._polled.keys() - current.keys():
            self._polls.pop(service_id).cancel()
            self._polled.pop(service_id)
            self._nudges.pop(service_id, None)
        self._engine.memory.keep_services(current.keys())
        changed = [s for service_id, s in current.items() if self._polled.get(service_id) != s]
        for service in changed:
            self._begin(service)
        if changed:
            await remember(self._engine)

    def nudge(self, service_id: str) -> None:
        """Poll this service now rather than at its next turn."""
        if service_id in self._nudges:
            self._nudges[service_id].set()

    async def _verify(self) -> None:
        began = self._engine.clock.monotonic()
        if began < self._verify_after:
            return
        await self._engine.store.verify()
        self._verify_after = began + (self._engine.clock.monotonic() - began) / VERIFY_SHARE

    def _begin(self, service: Service) -> None:
        if service.id in self._polls:
            self._polls[service.id].cancel()
        self._polled[service.id] = service
        self._nudges[service.id] = asyncio.Event()
        self._polls[service.id] = asyncio.create_task(self._poll_forever(service))

    async def _poll_forever(self, service: Service) -> None:
        clock = self._engine.clock
        while True:
            began = clock.monotonic()
            try:
                incident = await poll(self._engine, service)
                if incident is not None:
                    await advance(self._engine, service.tenant_id, incident)
            except Exception as error:
                log.warning("%s could not be polled: %s", service.name, error)
            pause = max(0.05, self._interval_s - (clock.monotonic() - began))
            await _either(self._nudges[service.id], pause)

    async def _deliver_forever(self) -> None:
        wake = self._engine.memory.outbox
        while True:
            wake.clear()
            try:
                await begin_due(self._engine)
            except Exception as error:
                log.warning("the outbox could not be read: %s", error)
            await _either(wake, OUTBOX_S)

    async def _listen_forever(self, channel: Chatting) -> None:
        while True:
            try:
                for tap in await channel.listen():
                    await hear(self._engine, channel, tap)
            except Exception as error:
                log.warning("%s cannot be listened to: %s", channel.name, error)
                await self._engine.clock.sleep(LISTEN_AGAIN_S)

    def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        self._jobs.append(asyncio.create_task(self._repeat(seconds, work)))

    def _whole(self, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        """The job as one that its scheduler's end does not cut off; `stop` waits for it a while."""

        async def whole() -> None:
            await asyncio.shield(self._engine.spawn(_try(work)))

        return whole

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """A job that takes long begins later the next time; none is begun twice, and what runs is not cut off."""
        clock, wait = self._engine.clock, seconds
        while not await _happens(self._stopping, wait):
            began = clock.monotonic()
            await _try(work)
            wait = max(0.0, seconds - (clock.monotonic() - began))


class Coarse:
    """Jobs half a minute apart or more. Of one that is late or still runs, one run is made up for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._ahead()
        self._jobs: list[Job] = []
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self, jobs: Sequence[Job]) -> None:
        self._jobs = list(jobs)
        self._begin()
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def follow(self) -> None:
        """Begin anew where the wall clock was set."""
        before, self._offset = self._offset, self._ahead()
        if abs(self._offset - before) >= SET_S:
            self._scheduler.remove_all_jobs()
            self._begin()

    def _begin(self) -> None:
        for seconds, work in self._jobs:
            self._scheduler.add_job(work, "interval", seconds=seconds)

    def _ahead(self) -> float:
        return self._clock.wall().timestamp() - self._clock.monotonic()


async def _try(work: Callable[[], Awaitable[object]]) -> None:
    """One run of a job; one that fails ends no other, nor its own next run."""
    try:
        await work()
    except Exception as error:
        log.warning("a periodic job failed: %s", error)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event comes within this time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than this."""
    await _happens(event, seconds)
    event.clear()
