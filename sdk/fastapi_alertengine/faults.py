"""Exceptions that escaped, by fingerprint: what, where in the app's own code, how often, how new."""

from __future__ import annotations

import os
import sysconfig
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from .redaction import told

KEPT = 100
NESTED = 20  # groups within groups that are looked into
FOREIGN = (
    *{os.path.normpath(sysconfig.get_path(one)) for one in ("stdlib", "purelib", "platlib")},
    "<frozen",
    os.path.dirname(os.path.abspath(__file__)),
)


@dataclass
class Fault:
    """All exceptions of one fingerprint; times in monotonic seconds."""

    fingerprint: str
    type: str
    message: str
    location: str
    route: str
    errno: int | None
    first: float
    times: deque[float] = field(default_factory=lambda: deque(maxlen=1000))


class Faults:
    """At most 100 fingerprints; the one longest unseen gives way."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Fault] = OrderedDict()

    def add(self, now: float, error: BaseException, route: str) -> None:
        """Never raises, whatever the exception's own class does."""
        try:
            self._add(now, _cause(error), route)
        except Exception:  # it cannot be told then
            return

    def _add(self, now: float, error: BaseException, route: str) -> None:
        location = _location(error.__traceback__)
        name = type(error).__name__
        key = f"{zlib.crc32(f'{name} {location} {route}'.encode('utf-8', 'replace')):08x}"
        fault = self._kept.get(key)
        if fault is None:
            fault = self._kept[key] = Fault(key, name, told(error), location, route, _errno(error), now)
        self._kept.move_to_end(key)
        fault.times.append(now)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def told(self, now: float, recent_s: float, usual_s: float) -> list[dict[str, Any]]:
        """Those seen within `recent_s`, most frequent first; new if none was older than that in `usual_s`."""
        rows = [row for fault in self._kept.values() if (row := _row(fault, now, recent_s, usual_s))]
        return sorted(rows, key=lambda row: -row["count"])[:20]


def _row(fault: Fault, now: float, recent_s: float, usual_s: float) -> dict[str, Any] | None:
    count = sum(now - at <= recent_s for at in fault.times)
    if not count:
        return None
    known = any(recent_s < now - at <= usual_s for at in fault.times)
    return {
        "fingerprint": fault.fingerprint,
        "type": fault.type,
        "message": fault.message,
        "location": fault.location,
        "route": fault.route[:200],
        "count": count,
        "first_seen_s_ago": round(now - fault.first, 1),
        "new": not known,
        "errno": fault.errno,
    }


def _cause(error: BaseException) -> BaseException:
    """Of a group of one, that one."""
    for _ in range(NESTED):
        inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        if not isinstance(inner, tuple) or len(inner) != 1:
            break
        error = inner[0]
    return error


def _errno(error: BaseException) -> int | None:
    seen = 0
    cause: BaseException | None = error
    while cause is not None and seen < 5:
        number = getattr(cause, "errno", None)
        if isinstance(number, int):
            return number
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return None


def _location(trace: TracebackType | None) -> str:
    """`file.py:function:line` of the innermost frame that is the app's own code."""
    own = last = ""
    for file, function, line in _frames(trace):
        last = f"{os.path.basename(file)}:{function}:{line}"
        if not os.path.normpath(file).startswith(FOREIGN):
            own = last
    return own or last


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, str, int]]:
    steps = 0
    while trace is not None and steps < 200:
        code = trace.tb_frame.f_code
        yield code.co_filename, code.co_name, trace.tb_lineno
        trace, steps = trace.tb_next, steps + 1
