"""Calls the app makes to others: how often, how long, how much of it waiting, how they failed."""

from __future__ import annotations

import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple

from .buckets import empty, index, quantiles, value
from .packed import pack, unpack
from .redaction import redact

PENDING = 20_000  # finished calls kept between two collections; the oldest give way


class Done(NamedTuple):
    """A finished call; seconds, of which `waited_s` for a connection."""

    kind: str
    name: str
    took_s: float
    waited_s: float
    code: str | None


class Call:
    """One call in progress, as a context manager, plain or async."""

    __slots__ = ("_began", "_code", "_done", "_kind", "_name", "_waited")

    def __init__(self, done: deque[Done], kind: str, name: str) -> None:
        self._done, self._kind, self._name = done, str(kind)[:40], str(name)[:80]
        self._waited = 0.0
        self._code: str | None = None
        self._began = 0.0

    def fail(self, code: object) -> None:
        """Mark the call failed: a status code or a word such as `timeout`."""
        self._code = str(code)[:40]

    def waited(self, seconds: float) -> None:
        """Say how long the caller waited for a connection before or within the call."""
        self._waited += max(0.0, float(seconds))

    def __enter__(self) -> Call:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = time.perf_counter() - self._began
        code = self._code
        if code is None and isinstance(error, Exception):
            code = failure_code(error)
        self._done.append(Done(self._kind, self._name, took, self._waited, code))

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def failure_code(error: BaseException) -> str:
    """One word for how a call failed: timeout, refused, pool_timeout, or the exception's name."""
    names = " ".join(kind.__name__.lower() for kind in type(error).__mro__)
    if "pool" in names and "timeout" in names:
        return "pool_timeout"
    if "timeout" in names:
        return "timeout"
    if "connect" in names:
        return "connect"
    return type(error).__name__[:40]


RIPE_S = 20.0  # a second counts as usual for good when no alarm came in this time
BEFORE_S = 2.0  # of the time before an alarm that is not usual either
USUAL_S = 120
NAMES = 50
CODES = 20  # of one second


class Second(NamedTuple):
    """One second of one dependency: counts by bucket, packed, so that many calls take no more room."""

    at: float
    ran: array[int]
    waited: array[int]
    codes: dict[str, int]


class Kept:
    """Seconds of one dependency: the newest, and of those before the usual ones, by how many there had been."""

    __slots__ = ("new", "usual")

    def __init__(self) -> None:
        self.new: deque[Second] = deque(maxlen=int(2 * RIPE_S))
        self.usual: deque[tuple[int, Second]] = deque(maxlen=USUAL_S)


class Dependencies:
    """What was called, newly and usually; 50 dependencies, the rest share one.

    As with routes, nothing under an alarm is usual, nor what came while it was not noticed yet:
    the usual are the last two minutes outside of alarms, however long ago.
    """

    def __init__(self) -> None:
        self.pending: deque[Done] = deque(maxlen=PENDING)
        self._kept: dict[tuple[str, str], Kept] = {}
        self._seconds: deque[float] = deque()  # that are not ripe
        self._tainted: set[float] = set()  # those of them that an alarm is about
        self._usual = 0  # seconds that became usual, with calls in them or not

    def collect(self, now: float, onset: float | None = None) -> None:
        """Take in the calls that finished since the last time; `onset`: since when there is an alarm."""
        calls: dict[tuple[str, str], list[Done]] = {}
        while self.pending:
            call = self.pending.popleft()
            calls.setdefault(self._key(call), []).append(call)
        for key, done in calls.items():
            self._kept[key].new.append(_second(now, done))
        self._seconds.append(now)
        if onset is not None:
            self._taint(onset - BEFORE_S)
        while self._seconds[0] <= now - RIPE_S:
            self._ripen(self._seconds.popleft())

    def _taint(self, since: float) -> None:
        self._tainted.update(at for at in self._seconds if at > since)
        for kept in self._kept.values():
            while kept.usual and kept.usual[-1][1].at > since:
                kept.usual.pop()

    def _ripen(self, at: float) -> None:
        usual = at not in self._tainted
        self._tainted.discard(at)
        self._usual += usual
        for kept in self._kept.values():
            while kept.new and kept.new[0].at <= at:
                ripe = kept.new.popleft()
                if usual:
                    kept.usual.append((self._usual, ripe))

    def _key(self, call: Done) -> tuple[str, str]:
        key = call.kind, call.name
        if key not in self._kept:
            if len(self._kept) >= NAMES:
                key = "other", "other"
            self._kept.setdefault(key, Kept())
        return key

    def told(self, recent: float, now: float) -> list[dict[str, Any]]:
        """Figures of (recent, now] beside the usual ones of two minutes, busiest first."""
        fresh = {at for at in self._seconds if at <= recent and at not in self._tainted}
        oldest = self._usual - USUAL_S + len(fresh)
        rows = []
        for (kind, name), kept in self._kept.items():
            usual = [one for place, one in kept.usual if place > oldest]
            before = _figures(usual + [one for one in kept.new if one.at in fresh])
            figures = _figures([one for one in kept.new if recent < one.at <= now])
            if figures or before:
                rows.append(
                    {"kind": redact(kind), "name": redact(name), **(figures or NOTHING), "usual": before}
                )
        return sorted(rows, key=lambda row: -int(row["count"]))[:20]


NOTHING: dict[str, Any] = {
    "count": 0, "fail_rate": 0.0, "codes": {}, "p50_ms": None, "p95_ms": None, "wait_p95_ms": None,
}  # fmt: skip


def _second(at: float, calls: list[Done]) -> Second:
    codes: dict[str, int] = {}
    for call in calls:
        if call.code is not None and (call.code in codes or len(codes) < CODES):
            codes[call.code] = codes.get(call.code, 0) + 1
    ran, waited = (
        array("I", pack(Counter(map(index, seconds))))
        for seconds in ([call.took_s for call in calls], [call.waited_s for call in calls])
    )
    return Second(at, ran, waited, codes)


def _figures(seconds: list[Second]) -> dict[str, Any] | None:
    if not seconds:
        return None
    ran = _sum(one.ran for one in seconds)
    waited = _sum(one.waited for one in seconds)
    codes: Counter[str] = Counter()
    for one in seconds:
        codes.update(one.codes)
    count = sum(ran)
    return {
        "count": count,
        "fail_rate": round(codes.total() / count, 4),
        "codes": {redact(code): failures for code, failures in codes.items()},
        "p50_ms": _at(ran, 0.5),
        "p95_ms": _at(ran, 0.95),
        "wait_p95_ms": _at(waited, 0.95),
    }


def _sum(packed: Iterable[array[int]]) -> array[int]:
    counts = empty()
    for words in packed:
        for bucket, count in unpack(words):
            counts[bucket] += count
    return counts


def _at(counts: array[int], q: float) -> float:
    """Milliseconds; 0 where it took no time to speak of."""
    (seconds,) = quantiles(counts, (q,))
    return round(1000 * seconds, 2) if seconds > value(0) else 0.0
