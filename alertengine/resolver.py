"""Names to addresses, off asyncio's small thread pool: one dead DNS server must not stall everybody.

A name that took long the last time waits in a lane of its own, so that however many of those there are, a healthy
name finds a free thread.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from alertengine.core.addresses import Address
from alertengine.errors import HttpError

SLOW_S = 1.0
KNOWN = 4096


class Resolver:
    def __init__(self) -> None:
        self._quick = ThreadPoolExecutor(32, thread_name_prefix="resolver")
        self._slow = ThreadPoolExecutor(16, thread_name_prefix="resolver-slow")
        self._late: OrderedDict[str, None] = OrderedDict()
        self._running: dict[str, asyncio.Future[list[Address]]] = {}

    async def resolve(self, host: str) -> list[Address]:
        """Every address of `host`. Raises `HttpError`. Those who ask for one name at once share one answer."""
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            pass
        running = self._running.get(host)
        if running is None:
            running = self._running[host] = asyncio.ensure_future(self._ask(host))
            running.add_done_callback(lambda done: self._answered(host, done))
        # Shielded: whoever gives up waiting leaves the answer to the others, and its thread is busy anyway.
        return await asyncio.shield(running)

    async def _ask(self, host: str) -> list[Address]:
        lane = self._slow if host in self._late else self._quick
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await loop.run_in_executor(lane, _look_up, host)
        except (OSError, UnicodeError) as error:
            raise HttpError("dns", f"{host} does not resolve", sent=False) from error
        finally:
            self._note(host, loop.time() - began > SLOW_S)

    def _answered(self, host: str, done: asyncio.Future[list[Address]]) -> None:
        self._running.pop(host, None)
        if not done.cancelled():
            done.exception()  # seen, though everybody who asked may have left

    def _note(self, host: str, late: bool) -> None:
        self._late.pop(host, None)
        if late:
            self._late[host] = None
            while len(self._late) > KNOWN:
                self._late.popitem(last=False)

    def close(self) -> None:
        for running in self._running.values():
            running.cancel()
        for lane in (self._quick, self._slow):
            lane.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(i[4][0]).partition("%")[0]) for i in found))
