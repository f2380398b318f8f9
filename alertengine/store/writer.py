"""One thread that owns the only writing connection, with adaptive group commit.

Whatever waits in the queue when the thread is free is done in one SQLite transaction, each piece under a
savepoint of its own, and answered after the one commit that makes all of it durable.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from alertengine.errors import StoreDamaged, StoreUnavailable

BATCH_LIMIT = 256


class Unit(Protocol):
    """What the writer runs pieces of work against."""

    db: sqlite3.Connection

    def keep(self) -> None: ...
    def drop(self) -> None: ...
    def before_commit(self) -> None: ...
    def committed(self) -> object: ...
    def rolled_back(self) -> None: ...


@dataclass(slots=True)
class Piece:
    """`answer` belongs to the loop of whoever waits; a caller that was cancelled just does not wait any more."""

    work: Callable[[Any], Any]
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    bare: bool = False
    """Runs on the connection alone, outside any transaction."""
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


def _settle(batch: Sequence[Piece]) -> None:
    """Wake those who wait: once a loop, not once a piece, since each waking costs more than an insert."""
    for loop in {piece.loop for piece in batch}:
        mine = [piece for piece in batch if piece.loop is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle_here, mine)


def _settle_here(pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        piece.settle()


class Writer:
    """`open_unit` runs on the writer's thread, so that the connection never leaves it."""

    def __init__(self, open_unit: Callable[[], Unit]) -> None:
        self._open_unit = open_unit
        self.sealed: str | None = None
        """Why nothing may be written any more, whatever is submitted."""
        self._queue: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    async def start(self) -> None:
        self._thread.start()
        await asyncio.wrap_future(self._opened)

    async def submit(self, work: Callable[[Any], Any], *, bare: bool = False) -> Any:
        loop = asyncio.get_running_loop()
        piece = Piece(work, loop.create_future(), loop, bare)
        self._queue.put(piece)
        # A caller that is cancelled stops waiting; the transaction itself is never cut in half.
        return await piece.answer

    async def stop(self) -> None:
        """Finish what was submitted, then close."""
        if self._thread.is_alive():
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            unit = self._open_unit()
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        try:
            while (batch := self._next_batch()) is not None:
                try:
                    self._do_all(unit, batch)
                except Exception as error:
                    # Nobody may wait for ever for a thread that is gone.
                    self.sealed = f"AlertEngine itself failed at the store ({error!r}). Start it again."
                    for piece in batch:
                        piece.error = piece.error or StoreDamaged(self.sealed)
                _settle(batch)
        finally:
            unit.db.close()

    def _do_all(self, unit: Unit, batch: list[Piece]) -> None:
        self._commit(unit, [piece for piece in batch if not piece.bare])
        for piece in batch:
            if piece.bare:
                _do_bare(unit, piece)

    def _next_batch(self) -> list[Piece] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH_LIMIT:
            try:
                piece = self._queue.get_nowait()
            except queue.Empty:
                break
            if piece is None:
                self._queue.put(None)
                break
            batch.append(piece)
        return batch

    def _commit(self, unit: Unit, batch: list[Piece]) -> None:
        db = unit.db
        if not batch:
            return
        if self.sealed:
            for piece in batch:
                piece.error = StoreDamaged(self.sealed)
            return
        try:
            db.execute("BEGIN IMMEDIATE")
            for piece in batch:
                _do(unit, piece)
            unit.before_commit()
            db.execute("COMMIT")
            unit.committed()
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            unit.rolled_back()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
                # After a failed fsync the system may call pages clean that never reached the disk, so that
                # the next one would succeed and mean nothing.
                self.sealed = f"The disk failed under the store ({error}). Check it, then start again."
            for piece in batch:
                piece.error = piece.error or unavailable(error)


def _do(unit: Unit, piece: Piece) -> None:
    db = unit.db
    db.execute("SAVEPOINT piece")
    try:
        piece.result = piece.work(unit)
    except sqlite3.OperationalError:
        raise  # the disk or the file: nothing of the batch can be kept
    except Exception as error:
        piece.error = error
        db.execute("ROLLBACK TO piece")
        unit.drop()
    else:
        unit.keep()
    db.execute("RELEASE piece")


def _do_bare(unit: Unit, piece: Piece) -> None:
    try:
        piece.result = piece.work(unit.db)
    except sqlite3.Error as error:
        piece.error = unavailable(error)


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"The store cannot be written ({error}), so nothing was done. Check disk space.")
