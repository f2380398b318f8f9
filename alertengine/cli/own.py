"""The product inside the command itself, where no daemon runs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from alertengine.app import keys, open_engine
from alertengine.cli.logs import plain_lines
from alertengine.cli.output import say
from alertengine.config import Settings
from alertengine.datadir import DataDir
from alertengine.pipeline.advance import sweep
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.poll import poll
from alertengine.store import directory
from alertengine.web.app import create_app

PATIENCE_S = 1.0
"""Something that takes longer is worth a word."""
RUN_S = 3700.0
"""Longer than any action may take."""
ROUNDS = 50


class Own:
    """An engine in this process, and what a daemon's loop would do for it."""

    def __init__(self, engine: Engine, transport: httpx2.AsyncBaseTransport) -> None:
        self._engine = engine
        self.transport = transport

    async def settle(self) -> None:
        """Advance, run and deliver until nothing is due. What is due later is the daemon's."""
        for _ in range(ROUNDS):
            await sweep(self._engine)
            ran = await self._finish()
            if not await deliver_due(self._engine) and not ran:
                return

    async def tick(self, tenant: str, service_id: str) -> None:
        """One poll of this service, and what follows from it."""
        service = await self._engine.store.fetch(directory.service(tenant, service_id))
        if service is not None:
            await poll(self._engine, service)
        await self.settle()

    async def _finish(self) -> bool:
        """Wait for what runs beside: leaving would make its outcome unknown."""
        running = list(self._engine.memory.tasks)
        if not running:
            return False
        _, late = await asyncio.wait(running, timeout=PATIENCE_S)
        if late:
            say("A recovery is running; waiting for its end. Leaving now would make its outcome unknown.")
            await asyncio.wait(late, timeout=RUN_S)
        return True


@asynccontextmanager
async def open_own(settings: Settings) -> AsyncIterator[Own]:
    # The console channel writes to stdout, where a daemon has nothing else to say; a command's answer has.
    with contextlib.redirect_stdout(sys.stderr), plain_lines():
        async with open_engine(settings) as engine:
            admin_key = keys(settings, DataDir(settings.data_dir)).admin_key
            app = create_app(engine, admin_key, on_socket=True)
            yield Own(engine, httpx2.ASGITransport(app=app, raise_app_exceptions=False))
