"""An engine on a real SQLite file, with time and the outside world in the test's hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from alertengine.app import load_settings, open_engine
from alertengine.core.events import Event
from alertengine.core.incident import Incident
from alertengine.core.model import Service
from alertengine.core.policy import Policy
from alertengine.pipeline.advance import advance, sweep
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.onboard import Application, NewContact, Onboarded, onboard
from alertengine.pipeline.poll import poll
from alertengine.pipeline.receipts import watch
from alertengine.store import incidents
from alertengine.testing import (
    RESTART_POOL,
    FakeClock,
    RecordingAction,
    RecordingChannel,
    ScriptedSource,
    critical_report,
    healthy_report,
    types_of,
)


@dataclass
class World:
    """The daemon's loop, driven by hand."""

    engine: Engine
    clock: FakeClock
    channel: RecordingChannel
    source: ScriptedSource
    action: RecordingAction
    onboarded: Onboarded

    @property
    def service(self) -> Service:
        return self.onboarded.service

    @property
    def tenant(self) -> str:
        return self.onboarded.tenant.id

    async def tick(self, seconds: float = 5.0) -> str | None:
        """One poll after `seconds`, and everything that follows from it."""
        self.clock.advance(seconds)
        incident = await poll(self.engine, self.service)
        await self.settle()
        return incident

    async def settle(self) -> None:
        """Advance, run and deliver until nothing is due."""
        for _ in range(6):
            await sweep(self.engine)
            for task in list(self.engine.memory.tasks):
                await task
            await deliver_due(self.engine)
            await watch(self.engine)

    async def fail(self) -> str:
        """The service turns critical; answers the incident that this opens."""
        self.source.report = critical_report()
        incident = await self.tick()
        assert incident is not None
        return incident

    async def heal(self) -> None:
        self.source.report = healthy_report()
        await self.tick()
        await self.tick()

    async def events(self, incident: str) -> list[Event]:
        return await self.engine.store.fetch(incidents.events(self.tenant, incident))

    async def types(self, incident: str) -> list[str]:
        return types_of(await self.events(incident))

    async def incident(self, incident: str) -> Incident:
        found = await self.engine.store.fetch(incidents.incident(self.tenant, incident))
        assert found is not None
        return found

    async def advance(self, incident: str) -> None:
        await advance(self.engine, self.tenant, incident)


@asynccontextmanager
async def open_world(folder: Path, policy: Policy | None = None) -> AsyncIterator[World]:
    """A world in an empty folder: a service `payments` with one contact, Tariro, on a recording channel."""
    clock = FakeClock()
    settings = load_settings(None, {"HOME": str(folder)}, {"data_dir": folder / "data"})
    async with open_engine(settings, clock=clock) as opened:
        channel, source, action = RecordingChannel(), ScriptedSource(clock), RecordingAction()
        source.offers = (RESTART_POOL,)
        engine = replace(
            opened,
            channels={"console": channel},
            source=source,
            actions={"app": action},
            policy=policy or Policy(),
        )
        application = Application(
            service_name="payments",
            health_url="http://127.0.0.1:1/health/alerts",
            contacts=[NewContact(name="Tariro", channel="console")],
        )
        yield World(engine, clock, channel, source, action, await onboard(engine, application))
