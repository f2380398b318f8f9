"""The store on one SQLite file: WAL, full synchronisation, one writer, readers that never wait for it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from alertengine.core.events import Event, NewEvent, SystemEventType
from alertengine.errors import Stale, StoreDamaged, StoreUnavailable
from alertengine.ledger.bundle import render
from alertengine.ledger.export import export_file
from alertengine.ledger.mark import Marks, Seen
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.tail import Tail
from alertengine.ledger.verify import Report, verify_file
from alertengine.ledger.walk import LEDGER_INCIDENT
from alertengine.store import life
from alertengine.store.base import Query
from alertengine.store.files import Files
from alertengine.store.incidents import project
from alertengine.store.log import SYSTEM_TREE, Ledger
from alertengine.store.migrate import migrate
from alertengine.store.states import States, advance
from alertengine.store.writer import Writer

log = logging.getLogger(__name__)

T = TypeVar("T")

RESTORE = "Restore it: alertengine restore FILE"

_NONE = 0, ""
"""Before an incident's first event."""


class SqliteTransaction:
    """The writer's connection with everything that happens on it."""

    def __init__(self, db: sqlite3.Connection, ledger: Ledger, marks: Marks | None = None) -> None:
        self.db = db
        self._ledger = ledger
        self._batch = ledger.batch
        self._states = States(db)
        self._marks = marks
        self._total = life.total_events(db)
        self._incarnation = life.incarnation(db)
        self._latest = self.fetch(life.newest())

    def now(self, wall: datetime) -> datetime:
        return wall if self._latest is None else max(wall, self._latest)

    def fetch(self, query: Query[T]) -> T:
        self._batch.write()
        return query.decode(self.db.execute(query.sql, query.params).fetchall())

    def execute(self, sql: str, *params: Any) -> int:
        self._batch.write()  # first, so that what was kept need not be written again where this piece fails
        self._batch.guard()
        return self.db.execute(sql, params).rowcount

    def append(
        self, tenant: str, incident: str, events: Sequence[NewEvent], expected: int, at: datetime
    ) -> list[Event]:
        at = self.now(at)
        if self._incarnation is None:
            self.begin_life("the first event", at)
        folds = tenant != SYSTEM_TREE and incident != LEDGER_INCIDENT
        known = self._states.get(tenant, incident) if folds else None
        before = _NONE if folds else self._ledger.last(tenant, incident)
        last = (known.seq, known.last_hash) if known else before
        if last[0] != expected:
            raise Stale(f"{incident} is at event {last[0]}, not {expected}. Read it again and decide again.")
        appended = self._ledger.append(tenant, incident, events, last, at)
        after = advance(known, appended) if folds else None
        if after is not None:
            project(self._file, known.state if known else None, after.state)
            self._states.put(after)
        self._latest = at
        return appended

    def start_over(self, reason: str, at: datetime) -> None:
        """A new life at this time, however far ahead the record is; each log says so, so that all go on from here."""
        was_ahead = self._latest is not None and self._latest > at
        self._latest = None
        self.begin_life(reason, at)
        begun = NewEvent(type=SystemEventType.STORE_RESTORED, data={"incarnation": self._incarnation})
        for (tree,) in self.db.execute("SELECT tree FROM tree WHERE tree <> ?", (SYSTEM_TREE,)).fetchall():
            self._ledger.append(tree, LEDGER_INCIDENT, [begun], self._ledger.last(tree, LEDGER_INCIDENT), at)
        life.end_sessions(self.db, at)  # under the savepoint that begin_life made
        if was_ahead:
            life.bring_forward(self.db, at)

    def begin_life(self, reason: str, at: datetime) -> None:
        """From here on the store is another one than any copy of it."""
        self._batch.guard()
        self._incarnation, begun = life.begin(self.db, reason)
        last = self._ledger.last(SYSTEM_TREE, LEDGER_INCIDENT)
        self._ledger.append(SYSTEM_TREE, LEDGER_INCIDENT, [begun], last, self.now(at))

    def _file(self, sql: str, *params: Any) -> None:
        """Write a row that depends on no row that may still wait."""
        self._batch.guard()
        self.db.execute(sql, params)

    def keep(self) -> None:
        self._ledger.keep()
        self._states.keep()

    def drop(self) -> None:
        self._ledger.drop()
        self._states.drop()
        self._forget()

    def before_commit(self) -> None:
        self._ledger.sign()

    def committed(self) -> None:
        grown = self._ledger.committed()
        self._states.committed()
        if grown is None:
            return
        more, tree, frontier = grown
        self._total += more
        if self._marks and self._incarnation:
            self._marks.write(Seen(self._incarnation, self._total, tree, frontier.size, frontier.root()))

    def rolled_back(self) -> None:
        self._ledger.rolled_back()
        self._states.rolled_back()
        self._forget()

    def _forget(self) -> None:
        self._incarnation = self._incarnation and life.incarnation(self.db)


class SqliteStore:
    def __init__(
        self, path: Path, writer: Writer, reader: aiosqlite.Connection, marks: Marks, vkey: str
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._marks = marks
        self._vkey = vkey
        self._files = Files(path)
        self._tail = Tail(path, [vkey])
        self._failed: str | None = None
        """Why the last write failed."""
        self._unread: str | None = None
        """Why the last read failed."""

    @property
    def trouble(self) -> str | None:
        return self._writer.sealed or self._writer.paused or self._failed or self._unread

    @property
    def unease(self) -> str | None:
        return self._marks.trouble

    def seal(self, reason: str) -> None:
        self._writer.sealed = reason

    async def verify(self) -> Report:
        report = await asyncio.to_thread(verify_file, self.path, [self._vkey], self._tail.heads())
        if not report.verified:
            if self._writer.paused is None:
                self._distrust(str(report.problems[0]))
        elif not self._tail.heads():
            await asyncio.to_thread(self._tail.begin, report)
        return report

    async def watch(self) -> None:
        if self._writer.sealed:
            return
        taken = self._files.fault()
        if taken:
            self.seal(f"{taken}. Stop AlertEngine, put it back or restore it: alertengine restore FILE")
            return
        try:
            found = await asyncio.to_thread(self._tail.fault)
        except StoreUnavailable as error:
            self._writer.paused = str(error)  # until the files can be looked at again
            return
        self._writer.paused = None
        if found and not self._writer.sealed:
            self._distrust(found)

    def _distrust(self, why: str) -> None:
        self.seal(f"The ledger does not verify: {why}. {RESTORE}")

    @classmethod
    async def open(
        cls, path: Path, signer: CheckpointSigner, host: str, mark_file: Path | None = None
    ) -> SqliteStore:
        """Open or create the file. Raises `SchemaTooNew`, `StoreDamaged` or `StoreUnavailable`.

        `mark_file`: where a second high-water mark is kept.
        """
        marks = Marks(path, mark_file)

        def open_unit() -> SqliteTransaction:
            with _told(path):
                db = connect(path)
                fault = life.fault(db, marks)
                if fault is None:
                    life.mark(db, marks)
                else:
                    writer.sealed = (
                        f"{path}: {fault}. If that is meant: alertengine ledger accept --reason WHY"
                    )
                return SqliteTransaction(db, Ledger(db, signer, host), marks)

        writer = Writer(open_unit)
        await writer.start()
        reader = await aiosqlite.connect(read_only(path), uri=True, isolation_level=None)
        return cls(path, writer, reader, marks, signer.vkey)

    async def transact(self, work: Callable[[SqliteTransaction], T]) -> T:
        try:
            result: T = await self._writer.submit(work)
        except StoreUnavailable as error:
            self._failed = str(error)
            raise
        except Exception:
            self._failed = None  # the work was refused, the store is well
            raise
        self._failed = None
        return result

    async def bundle(self, tenant: str, incident: str) -> bytes:
        return await asyncio.to_thread(lambda: render(export_file(self.path, incident, [self._vkey], tenant)))

    async def tidy(self) -> None:
        # On the writer's own connection: two that write or checkpoint at once can damage the file before
        # SQLite 3.51.3.
        await self._writer.submit(
            lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall(), bare=True
        )

    async def probe(self) -> None:
        sql = "INSERT INTO meta (name, value) VALUES ('probe', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        with suppress(StoreUnavailable):
            await self.transact(lambda tx: tx.execute(sql, "x" * 4096))
        if self._unread:
            with suppress(StoreUnavailable):
                await self._read_anew()

    async def _read_anew(self) -> None:
        """With a fresh connection: the old one may be what fails."""
        with suppress(sqlite3.Error, ValueError):
            await self._reader.close()
        try:
            self._reader = await aiosqlite.connect(read_only(self.path), uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The store cannot be read ({error}).") from error
        await self.fetch(Query(sql="SELECT count(*) FROM meta", params=(), decode=list))

    async def fetch(self, query: Query[T]) -> T:
        try:
            rows: list[Any] = list(await self._reader.execute_fetchall(query.sql, query.params))
        except (sqlite3.Error, ValueError) as error:  # ValueError: the connection is closed
            remedy = "" if isinstance(error, sqlite3.OperationalError | ValueError) else f" {RESTORE}"
            self._unread = f"The store cannot be read ({error}).{remedy}"
            raise StoreUnavailable(self._unread) from error
        self._unread = None
        return query.decode(rows)

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.stop()
        self._marks.close()


def read_only(path: Path) -> str:
    """The file as a URI that cannot write, whatever characters its folders have."""
    return f"{path.absolute().as_uri()}?mode=ro"


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection, with the schema in place."""
    with _told(path):
        db = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # with NORMAL an acknowledged commit is lost in a power cut
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "secure_delete=ON",
        ):
            db.execute(f"PRAGMA {pragma}")
        migrate(db, path)
        return db


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite finds wrong on opening the file, with what to do about it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(
            f"{path} cannot be opened ({error}). Check its folder, its rights and the disk's space."
        ) from error
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{path} is not a sound store ({error}). {RESTORE}") from error
