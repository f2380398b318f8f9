"""The writer's thread where what it runs fails in other ways than SQLite's."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

import pytest

from alertengine.errors import StoreDamaged
from alertengine.store.writer import Writer


@dataclass
class Unit:
    fails_at: str
    db: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))

    def _reach(self, point: str) -> None:
        if point == self.fails_at:
            raise LookupError("ours")

    def keep(self) -> None: ...
    def drop(self) -> None: ...
    def rolled_back(self) -> None: ...
    def before_commit(self) -> None:
        self._reach("before_commit")

    def committed(self) -> None:
        self._reach("committed")


async def started(fails_at: str) -> Writer:
    writer = Writer(lambda: Unit(fails_at))
    await writer.start()
    return writer


def work(unit: Any) -> str:
    return "done"


async def test_who_was_answered_keeps_the_answer_and_nobody_else_is_served() -> None:
    writer = await started("committed")
    assert await writer.submit(work) == "done"
    with pytest.raises(StoreDamaged, match="itself failed at the store"):
        await writer.submit(work)
    await writer.stop()


async def test_what_fails_before_the_commit_is_told_to_all_who_wait() -> None:
    writer = await started("before_commit")
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="itself failed at the store"):
            await writer.submit(work)
    await writer.stop()


async def test_a_pause_ends() -> None:
    writer = await started("")
    writer.paused = "for a while"
    with pytest.raises(StoreDamaged, match="for a while"):
        await writer.submit(work)
    writer.paused = None
    assert await writer.submit(work) == "done"
    await writer.stop()
