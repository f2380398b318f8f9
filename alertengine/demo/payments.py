"""The demo's patient: a payments service with a real connection pool and a real bug.

A refund in an unknown currency raises between taking a connection and giving it back. Enough of those, and
every payment waits for a connection that nobody returns. The recovery hook closes the pool and opens another.

Run as `python -m alertengine.demo.payments PORT FOLDER`, with the secret in ALERTENGINE_SECRET.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

POOL_SIZE = 8
WAIT_S = 0.8
RATES = {"USD": 1.0, "ZAR": 0.055, "ZWG": 0.037}


class PoolTimeout(Exception):
    """No database connection became free in time."""


class Pool:
    """SQLite connections, handed out one at a time."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._free: asyncio.Queue[sqlite3.Connection] = asyncio.Queue()
        self._all: list[sqlite3.Connection] = []
        self.fill()

    def fill(self) -> None:
        for _ in range(self._size):
            connection = sqlite3.connect(self._path, check_same_thread=False, timeout=1)
            self._all.append(connection)
            self._free.put_nowait(connection)

    async def take(self) -> sqlite3.Connection:
        try:
            async with asyncio.timeout(WAIT_S):
                return await self._free.get()
        except TimeoutError:
            raise PoolTimeout("connection pool exhausted: no free connection") from None

    def give(self, connection: sqlite3.Connection) -> None:
        if connection in self._all:
            self._free.put_nowait(connection)

    @property
    def lost(self) -> int:
        return self._size - self._free.qsize()

    def recycle(self) -> int:
        """Close every connection, also those that nobody gave back, and open as many new ones."""
        lost = self.lost
        for connection in self._all:
            connection.close()
        self._all, self._free = [], asyncio.Queue()
        self.fill()
        return lost


class Payments:
    """The service's own code, such as anybody writes it."""

    def __init__(self, database: Path) -> None:
        # The demo command says in words what to do where this package is not there.
        from fastapi_alertengine import instrument

        self._database = database
        self.app = FastAPI(title="payments", lifespan=self._lifespan)
        self.monitor = instrument(self.app, service="payments")
        self.monitor.mark("startup", version="1.4.2")
        self.monitor.recovery("restart-pool", preview=self._preview)(self.restart_pool)
        self.app.post("/pay")(self.pay)
        self.app.get("/balance")(self.balance)
        self.app.post("/refund")(self.refund)
        self.app.get("/about")(self.about)
        self.app.add_exception_handler(PoolTimeout, self._busy)

    async def pay(self, amount: float = 10.0) -> dict[str, Any]:
        async with self._connection() as db:
            await asyncio.sleep(0.01)
            row = db.execute("INSERT INTO payment (amount) VALUES (?) RETURNING id", (amount,)).fetchone()
            db.commit()
        return {"id": row[0], "status": "paid"}

    async def balance(self) -> dict[str, Any]:
        async with self._connection() as db:
            await asyncio.sleep(0.005)
            return {"balance": db.execute("SELECT coalesce(sum(amount), 0) FROM payment").fetchone()[0]}

    async def refund(self, currency: str = "USD", amount: float = 1.0) -> dict[str, Any]:
        db = await self._pool.take()
        rate = RATES[currency]  # the bug: a currency it does not know, and `db` is never given back
        db.execute("INSERT INTO payment (amount) VALUES (?)", (-amount * rate,))
        db.commit()
        self._pool.give(db)
        return {"status": "refunded"}

    async def about(self) -> dict[str, str]:
        return {"service": "payments", "version": "1.4.2"}

    async def restart_pool(self) -> str:
        """recycle the database connection pool of payments"""
        return f"{self._pool.recycle()} connections were stuck; {POOL_SIZE} fresh ones are open"

    def _preview(self) -> str:
        return f"closes {POOL_SIZE} connections, {self._pool.lost} of them in use, and opens {POOL_SIZE} new ones"

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        _create(self._database)
        self._pool = Pool(self._database, POOL_SIZE)
        yield

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[sqlite3.Connection]:
        with self.monitor.dependency("db", "payments") as call:
            began = asyncio.get_running_loop().time()
            try:
                taken = await self._pool.take()
            finally:
                call.waited(asyncio.get_running_loop().time() - began)
            try:
                yield taken
            finally:
                self._pool.give(taken)

    async def _busy(self, request: Any, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "busy, try again"}, 503)


def _create(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS payment (id INTEGER PRIMARY KEY, amount REAL NOT NULL)")
    connection.commit()
    connection.close()


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    app = Payments(folder / "payments.db").app
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
