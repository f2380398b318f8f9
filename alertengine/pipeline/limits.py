"""How often each key, contact and address may ask. A restart resets nothing.

The limits live in memory, where taking from one costs nothing, and are written down every second: a daemon that is
killed forgets at most that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from alertengine.core.limit import Limit
from alertengine.errors import RateLimited, StoreUnavailable
from alertengine.pipeline.engine import Engine
from alertengine.store import api_keys, rates
from alertengine.store.base import Transaction

LIMITS: Mapping[str, Limit] = {
    "key": Limit(per_s=50, burst=500),  # requests with one API key
    "test": Limit(per_s=1 / 300, burst=10),  # test incidents of one tenant, by its key
    "verify": Limit(per_s=0.2, burst=20),  # codes typed in from one address
    "change": Limit(per_s=1 / 60, burst=100),  # what is changed of one tenant, by its key
    "code": Limit(per_s=1 / 60, burst=10),  # codes sent for one tenant, by its key
    "export": Limit(per_s=1 / 60, burst=5),  # exports of one tenant, by its key
    "signin": Limit(
        per_s=1, burst=200
    ),  # sign-ins begun and ended from one address: a whole office at nine o'clock
    "pin": Limit(per_s=1 / 60, burst=10),  # PINs that one person sets
    "link": Limit(per_s=20, burst=2000),  # requests with one contact's genuine links
    # What nobody may do: unknown keys, forged links, unsigned calls from one address. Generous, for a whole office
    # may be behind one; and what is genuine is never counted here, so that no flood locks anybody out.
    "stranger": Limit(per_s=100, burst=15_000),
}
KEPT = 10_000
"""More names than this are not kept: whoever has been quiet for longest is forgotten."""


def spend(engine: Engine, kind: str, who: str) -> None:
    """Take one from the limit of this kind for `who`, or raise `RateLimited`."""
    name = f"{kind} {who}"
    memory = engine.memory
    now = engine.clock.monotonic()
    full_at, wait = LIMITS[kind].take(memory.limits.pop(name, 0.0), now)
    memory.limits[name] = full_at
    if wait:
        raise RateLimited(retry_after_s=wait)
    memory.unkept_limits.add(name)
    while len(memory.limits) > KEPT:
        memory.limits.pop(next(iter(memory.limits)))


async def load(engine: Engine) -> None:
    """Take up the limits as the last life of the daemon left them."""
    now, wall = engine.clock.monotonic(), engine.now()
    for name, full_at in (await engine.store.fetch(rates.kept())).items():
        limit = LIMITS.get(name.partition(" ")[0])
        if limit is not None:
            # A clock that was set back must not shut anybody out for as long.
            spent_s = min((full_at - wall).total_seconds(), limit.burst / limit.per_s)
            engine.memory.limits[name] = now + max(0.0, spent_s)


async def keep(engine: Engine) -> None:
    """Write down what was taken since the last time, and which keys were used."""
    memory = engine.memory
    names, memory.unkept_limits = memory.unkept_limits, set()
    uses, memory.unkept_uses = memory.unkept_uses, {}
    if not names and not uses:
        return
    now, wall = engine.clock.monotonic(), engine.now()
    ahead = {name: memory.limits.get(name, 0.0) - now for name in names}
    changed = {name: wall + timedelta(seconds=s) for name, s in ahead.items() if s > 1}

    def work(tx: Transaction) -> None:
        rates.keep(tx, changed, wall)
        for key_id, at in uses.items():
            api_keys.note_use(tx, key_id, at)

    try:
        await engine.store.transact(work)
    except StoreUnavailable:
        memory.unkept_limits |= names
        memory.unkept_uses = {**uses, **memory.unkept_uses}
