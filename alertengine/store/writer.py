"""One thread that owns the only writing connection, with adaptive group commit.

What is submitted in one turn of the loop reaches the thread together, and whatever waits there when it is free
is done in one SQLite transaction, each piece kept or dropped by itself, and answered after the one commit that
makes all of it durable.
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
    def committed(self) -> None:
        """After the commit, once whoever waited was answered."""

    def rolled_back(self) -> None: ...


@dataclass(slots=True)
class Piece:
    """`answer` belongs to the loop of whoever waits; a caller that was cancelled just does not wait any more."""

    work: Callable[[Any], Any]
    answer: asyncio.Future[Any]
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
    for piece in batch:
        piece.settle()


class Writer:
    """`open_unit` runs on the writer's thread, so that the connection never leaves it."""

    def __init__(self, open_unit: Callable[[], Unit]) -> None:
        self._open_unit = open_unit
        self.sealed: str | None = None
        """Why nothing may be written any more, whatever is submitted. Once set it stays."""
        self.paused: str | None = None
        """Why nothing may be written for now."""
        self._loop: asyncio.AbstractEventLoop
        self._gathered: list[Piece] = []
        """What was submitted in this turn of the loop."""
        self._crowded = False
        """Several waited the last time: then it pays to gather a whole turn."""
        self._queue: queue.SimpleQueue[list[Piece] | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        await asyncio.wrap_future(self._opened)

    async def submit(self, work: Callable[[Any], Any], *, bare: bool = False) -> Any:
        piece = Piece(work, self._loop.create_future(), bare)
        # Each waking of the thread costs more than an insert.
        if not (self._crowded or self._gathered):
            self._queue.put([piece])
        else:
            if not self._gathered:
                self._loop.call_soon(self._hand_over)
            self._gathered.append(piece)
        # A caller that is cancelled stops waiting; the transaction itself is never cut in half.
        return await piece.answer

    async def stop(self) -> None:
        """Finish what was submitted, then close."""
        if self._thread.is_alive():
            self._hand_over()
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _run(self) -> None:
        try:
            unit = self._open_unit()
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        try:
            while (batch := self._next_batch()) is not None:
                self._serve(unit, batch)
        finally:
            unit.db.close()

    def _serve(self, unit: Unit, batch: list[Piece]) -> None:
        try:
            done = self._do_all(unit, batch)
        except Exception as error:
            done, why = False, self._fail(error)
            for piece in batch:
                piece.error = piece.error or StoreDamaged(why)
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            self._loop.call_soon_threadsafe(_settle, batch)
        try:
            if done:
                unit.committed()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> str:
        """What is in memory may not be what is in the file: write no more. Answer why."""
        self.sealed = why = f"AlertEngine itself failed at the store ({error!r}). Start it again."
        return why

    def _do_all(self, unit: Unit, batch: list[Piece]) -> bool:
        """Whether a transaction was committed."""
        done = self._commit(unit, [piece for piece in batch if not piece.bare])
        for piece in batch:
            if piece.bare:
                _do_bare(unit, piece)
        return done

    def _next_batch(self) -> list[Piece] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = first
        while len(batch) < BATCH_LIMIT:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            batch += more
        self._crowded = len(batch) > 1
        return batch

    def _commit(self, unit: Unit, batch: list[Piece]) -> bool:
        db = unit.db
        if not batch:
            return False
        if why := self.sealed or self.paused:  # read once: the loop's thread sets them too
            for piece in batch:
                piece.error = StoreDamaged(why)
            return False
        try:
            db.execute("BEGIN IMMEDIATE")
            for piece in batch:
                _do(unit, piece)
            unit.before_commit()
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            unit.rolled_back()
            refusal = self._refusal(error)
            for piece in batch:
                piece.error = piece.error or refusal
            return False
        except Exception:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return True

    def _refusal(self, error: sqlite3.Error) -> StoreUnavailable:
        """What is told to those whose transaction failed; where none can be trusted any more, nothing is written."""
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
            # After a failed fsync the system may call pages clean that never reached the disk, so that
            # the next one would succeed and mean nothing.
            self.sealed = f"The disk failed under the store ({error}). Check it, then start again."
        elif isinstance(error, sqlite3.IntegrityError):
            # What follows on what this process wrote was refused.
            self.sealed = why = (
                f"The store is not as it was left ({error}): something else wrote to it. "
                "Restore it: alertengine restore FILE"
            )
            return StoreDamaged(why)
        return unavailable(error)


def _do(unit: Unit, piece: Piece) -> None:
    try:
        piece.result = piece.work(unit)
    except sqlite3.OperationalError:
        raise  # the disk or the file: nothing of the batch can be kept
    except Exception as error:
        if not unit.db.in_transaction:
            raise  # SQLite gave up the whole batch
        piece.error = error
        unit.drop()
    else:
        unit.keep()


def _do_bare(unit: Unit, piece: Piece) -> None:
    try:
        piece.result = piece.work(unit.db)
    except sqlite3.Error as error:
        piece.error = unavailable(error)
    except Exception as error:
        piece.error = error


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"The store cannot be written ({error}), so nothing was done. Check disk space.")
