"""Several hosts agree through Redis Streams; a thread talks to Redis, requests never do."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import deque
from typing import Any

from .breaker import Breaker
from .rows import Batch, decode, encode

TIMEOUT_S = 1.0
PENDING = 10  # seconds of batches kept for a Redis that is slow; older ones tell nobody anything
LENGTH = 2000  # entries kept in the stream
FRESH_S = 5.0


class RedisStream:
    """One stream a service: an entry is one second of one worker."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._stream = f"alertengine:{service}:seconds"
        self._name = uuid.uuid4().hex
        self._pid = 0
        self._out: deque[tuple[float, bytes]] = deque(maxlen=PENDING)
        self._unsent: list[tuple[float, bytes]] = []  # the thread's own
        self._in: deque[tuple[str, Batch]] = deque(maxlen=1000)
        self._seen: dict[str, tuple[float, int]] = {}
        self._breaker = Breaker()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._client: Any = None
        self._last = "0-0"
        self._answered = 0.0
        self._asked = 0.0
        self._dropped = 0
        self.workers = 1
        self.in_flight = 0

    def past(self, now: float) -> list[tuple[float, Batch]]:
        """Nothing: asking Redis would mean to wait for it."""
        return []

    def exchange(self, now: float, batch: Batch) -> list[Batch]:
        if self._pid != os.getpid():
            self._start(now)
        self._dropped += len(self._out) == PENDING  # the oldest gives way
        self._out.append((now, encode(batch)))
        self._asked = now
        self._wake.set()
        batches = []
        while self._in:
            worker, told = self._in.popleft()
            self._seen[worker] = now, told.in_flight
            batches.append(told)
        self._seen = {worker: seen for worker, seen in self._seen.items() if now - seen[0] < 10}
        self.workers = 1 + len(self._seen)
        self.in_flight = sum(seen[1] for seen in self._seen.values())
        return batches

    def told(self) -> dict[str, Any]:
        """Degraded as soon as Redis has not answered for three seconds: then this worker stands alone."""
        fine = self._breaker.state == "closed" and self._asked - self._answered < 3.0
        return {
            "mode": "redis",
            "state": "ok" if fine else "degraded",
            "dropped": self._dropped,
            "breaker": self._breaker.state,
        }

    def close(self) -> None:
        """Until the next exchange, should the app start once more."""
        self._pid = 0
        self._stop.set()
        self._wake.set()

    def _start(self, now: float) -> None:
        """In each process anew: threads do not survive a fork."""
        self._answered = now
        self._pid = os.getpid()
        self._name = uuid.uuid4().hex
        self._wake, self._stop = threading.Event(), threading.Event()
        self._client, self._last = None, "0-0"
        self._out.clear()  # in a fork they are its parent's
        self._unsent = []
        threading.Thread(target=self._run, name="alertengine-redis", daemon=True).start()

    def _run(self) -> None:
        stop, wake = self._stop, self._wake
        while not stop.is_set():
            wake.wait(1.0)
            wake.clear()
            if self._breaker.allows(time.monotonic()) and self._out:
                try:
                    asked = self._asked
                    self._talk()
                    self._breaker.succeeded()
                    self._answered = asked
                except Exception:  # whatever the client raises, this worker goes on alone
                    self._breaker.failed(time.monotonic())
                    self._forget_client()

    def _talk(self) -> None:
        """Hand in all that waits and read what others handed in, in one round trip."""
        if self._client is None:
            self._connect()
        self._gather()
        pipe = self._client.pipeline(transaction=False)
        for _, raw in self._unsent:
            fields = {"worker": self._name, "batch": raw}
            pipe.xadd(self._stream, fields, maxlen=LENGTH, approximate=True)
        pipe.xread({self._stream: self._last}, count=1000)
        answer = pipe.execute()[-1]
        self._unsent = []
        self._take(answer)

    def _gather(self) -> None:
        """Take over what waits; what has become too old tells nobody anything."""
        while self._out:
            self._unsent.append(self._out.popleft())
        fresh = [one for one in self._unsent if one[0] >= self._asked - FRESH_S]
        self._dropped += len(self._unsent) - len(fresh)
        self._unsent = fresh

    def _take(self, answer: Any) -> None:
        streams = answer.items() if isinstance(answer, dict) else answer or []
        for _, entries in streams:
            flat = entries[0] if entries and isinstance(entries[0], list) else entries
            for entry, fields in flat:
                self._last = entry.decode()
                try:
                    worker = fields[b"worker"].decode()
                    if worker != self._name:
                        self._in.append((worker, decode(fields[b"batch"])))
                except (KeyError, ValueError):  # another version of the SDK wrote it
                    self._dropped += 1

    def _connect(self) -> None:
        import redis

        self._client = redis.Redis.from_url(
            self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=False
        )
        seconds, _ = self._client.time()
        since = 1000 * int(seconds - 2)
        if not since <= int(self._last.partition("-")[0]) <= 1000 * (seconds + 1):
            self._last = f"{since}-0"  # else on from where it was: nothing is counted twice

    def _forget_client(self) -> None:
        client, self._client = self._client, None
        try:
            if client is not None:
                client.close()
        except Exception:  # it is broken already
            return
