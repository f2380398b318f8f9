"""What every store offers: plain-function transactions, and reads beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from alertengine.core.events import Event, NewEvent
from alertengine.ledger.verify import Report

T = TypeVar("T")
Row = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Generic[T]):
    """A read: its SQL and how to understand the rows."""

    sql: str
    params: tuple[Any, ...]
    decode: Callable[[list[Row]], T]


class Transaction(Protocol):
    """One unit on the writer's thread: everything in it is durable together, or nothing is."""

    def now(self, wall: datetime) -> datetime:
        """`wall`, but never before what the store has already seen: a clock set back revives nothing."""

    def fetch(self, query: Query[T]) -> T: ...

    def execute(self, sql: str, *params: Any) -> int:
        """Write; answer how many rows changed."""

    def append(
        self, tenant: str, incident: str, events: Sequence[NewEvent], expected: int, at: datetime
    ) -> list[Event]:
        """Add `events` after number `expected` of the incident, or raise `Stale`."""


class Store(Protocol):
    @property
    def trouble(self) -> str | None:
        """Why the last write or read failed; None once one succeeded again."""

    @property
    def unease(self) -> str | None:
        """What does not work beside it, though it goes on without."""

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on the writer's thread; answer once it is durable.

        Raises `StoreUnavailable` where that cannot be had; then nothing of it happened.
        """

    async def fetch(self, query: Query[T]) -> T: ...

    def seal(self, reason: str) -> None:
        """Take no write any more: every `transact` raises `StoreDamaged` with this reason, until a restart."""

    async def verify(self) -> Report:
        """Verify everything that is kept; seal the store where it does not verify."""

    async def watch(self) -> None:
        """A quick look, every few seconds: seal the store where its file was exchanged or its newest entries are not
        those that were written."""

    async def bundle(self, tenant: str, incident: str) -> bytes:
        """The incident's evidence bundle. Raises `NotFound`."""

    async def tidy(self) -> None:
        """Leave nothing on the disk of what was pruned."""

    async def probe(self) -> None:
        """Write something harmless, to see whether writing works again."""

    async def close(self) -> None: ...
