"""Keeping the record as long as was asked and no longer, with a guard against a clock that jumped."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import datetime, timedelta
from pathlib import Path

from alertengine.ledger.keys import replace_durably
from alertengine.pipeline.engine import Engine
from alertengine.store.prune import closed_before, prune

log = logging.getLogger(__name__)

CLOCK_TOLERANCE = timedelta(minutes=5)
HOLD_S = 86_400.0
"""After a jump of the clock nothing is forgotten for a day: time for people to see it."""
LONG_AWAY_S = 86_400.0
AT_ONCE = timedelta(hours=25)
"""One run forgets no more than what ended within this span, so that a wrong clock cannot empty the store."""


class Retention:
    """Run it every hour. The first run only looks at the clock.

    Whether an incident is old is judged by a clock, and what is forgotten does not come back. So a clock that jumped,
    or was far ahead of the record when the daemon started, is waited for, and one run never forgets much.
    """

    def __init__(self, engine: Engine, days: float, archive: Path | None) -> None:
        self._engine = engine
        self._days = days
        self._archive = archive
        self._looked: tuple[datetime, float] | None = None
        self._held_until = 0.0
        """Monotonic."""

    async def run(self) -> int:
        """Prune what is due; answer how many incidents that was."""
        if not self._clock_is_steady():
            return 0
        due = await self._engine.store.fetch(closed_before(self._engine.now() - timedelta(days=self._days)))
        due = [entry for entry in due if entry[2] <= due[0][2] + AT_ONCE]
        for tenant, incident, _ in due:
            await self._forget(tenant, incident)
        if due:
            await self._engine.store.tidy()
        return len(due)

    async def _forget(self, tenant: str, incident: str) -> None:
        why: dict[str, object] = {"reason": f"closed more than {self._days:g} days ago"}
        if self._archive is not None:
            # Where the archive cannot be written this raises, and nothing is forgotten.
            why |= await self._keep(tenant, incident, self._archive / tenant)
        now = self._engine.now()
        await self._engine.store.transact(lambda tx: prune(tx, tenant, incident, why, now))

    async def _keep(self, tenant: str, incident: str, folder: Path) -> dict[str, object]:
        data = await self._engine.store.bundle(tenant, incident)
        file = folder / f"{incident}.html"

        def write() -> None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_durably(file, data)

        await asyncio.to_thread(write)
        return {"archive": file.name, "sha256": hashlib.sha256(data).hexdigest()}

    def _clock_is_steady(self) -> bool:
        """Wall time went as far as it should have since the last look, so that old incidents really are old."""
        clock = self._engine.clock
        now, ticks = clock.now(), clock.monotonic()
        before, self._looked = self._looked, (now, ticks)
        if before is None:
            if clock.leap_s > LONG_AWAY_S:
                self._held_until = ticks + HOLD_S
            return False
        jump = (now - before[0]) - timedelta(seconds=ticks - before[1])
        if abs(jump) > CLOCK_TOLERANCE:
            log.warning("The clock jumped by %s; nothing is forgotten for a day.", jump)
            self._held_until = ticks + HOLD_S
        return ticks >= self._held_until and clock.look().trouble is None
