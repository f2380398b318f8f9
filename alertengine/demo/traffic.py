"""Customers of the demo's payments service: steady traffic, and the batch of refunds that breaks it."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

from alertengine.demo.payments import POOL_SIZE
from alertengine.errors import HttpError
from alertengine.http import Http

PER_SECOND = 24
_MIX = (("POST", "/pay?amount=25"), ("GET", "/balance"), ("POST", "/pay?amount=12"), ("GET", "/about"))


class Traffic:
    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self.url = url
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.failed = 0

    async def run(self) -> None:
        """Send the mix at a steady pace, whether or not answers come."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for method, path in itertools.cycle(_MIX):
            self._send(method, path)
            due += 1 / PER_SECOND
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def break_it(self) -> None:
        """The bad batch: each refund in an unknown currency loses one connection for good."""
        await asyncio.gather(*(self._ask("POST", "/refund?currency=XXX") for _ in range(POOL_SIZE)))

    def _send(self, method: str, path: str) -> None:
        task = asyncio.create_task(self._ask(method, path))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, method: str, path: str) -> None:
        self.sent += 1
        with suppress(HttpError):
            answer = await self._http.fetch(method, self.url + path, timeout_s=5)
            if answer.status < 500:
                return
        self.failed += 1
