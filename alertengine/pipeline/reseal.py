"""After the daemon's secret was changed: what is stored is sealed with the new one, so that the old one can go."""

from __future__ import annotations

from alertengine.pipeline.engine import Engine
from alertengine.store import seals


async def reseal(engine: Engine) -> int:
    """All of it in one transaction. Raises `ConfigError` where a seal is of neither secret."""
    return await engine.store.transact(lambda tx: seals.change_all(tx, engine.vault.reseal))
