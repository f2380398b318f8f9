"""What is usual, kept over a restart: one small JSON file a service, outside the app's own tree.

`ALERTENGINE_STATE` names a directory, or `off`. The default is `alertengine` in the user's state
directory ($XDG_STATE_HOME, else ~/.local/state). Nothing is written in the first two minutes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from .monitor import Monitor
from .usual import COUNT, HALF_LIVES_S, Memory

FORMAT = 1
LEARNT_S = 120.0
EVERY_S = 60.0
LARGEST = 16 << 20
MOST = 1e15
log = logging.getLogger(__name__)


def default_path(service: str) -> Path | None:
    """One file for each service and working directory; None where switched off or homeless."""
    chosen = os.environ.get("ALERTENGINE_STATE", "")
    if chosen == "off":
        return None
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    if not chosen and not os.path.isabs(home):
        return None
    try:
        here = os.getcwd()
    except OSError:  # it was removed under the app
        return None
    key = hashlib.sha256(os.fsencode(f"{service}\0{here}")).hexdigest()[:16]
    return Path(chosen or os.path.join(home, "alertengine")) / f"usual-{key}.json"


class State:
    """Loads once, saves every minute from a thread and at the end. Whatever fails is left out."""

    def __init__(self, monitor: Monitor, path: Path | None) -> None:
        self._monitor = monitor
        self._path = path
        self._saved = monitor.started

    def load(self) -> None:
        try:
            if self._path is None or self._path.stat().st_size > LARGEST:
                return
            told = json.loads(self._path.read_text())
            if told["format"] == FORMAT and restore(self._monitor, told, time.time()):
                self._monitor.judge.woke(self._monitor.now())
        except FileNotFoundError:
            return
        except Exception:  # whatever a file may hold, the app starts
            log.debug("the state of %s cannot be read", self._monitor.service, exc_info=True)

    def save_due(self, now: float) -> None:
        """Save in the background when it is time to."""
        if (
            self._path is not None
            and now - self._saved >= EVERY_S
            and now - self._monitor.started >= LEARNT_S
        ):
            self._saved = now
            told = snapshot(self._monitor, time.time())
            threading.Thread(
                target=_write, args=(self._path, told), name="alertengine-state", daemon=True
            ).start()

    def save(self) -> None:
        """Save at the end, if there is anything to tell."""
        now = self._monitor.now()
        if self._path is not None and now - self._monitor.started >= LEARNT_S:
            self._saved = now
            _write(self._path, snapshot(self._monitor, time.time()))


def snapshot(monitor: Monitor, at: float) -> dict[str, Any]:
    """`at`: Unix seconds."""
    cells = [cell for cell in monitor.cells if cell.usual.weight >= 1]
    return {
        "format": FORMAT,
        "at": at,
        "service": _plain(monitor.intake.service),
        "routes": [
            {
                "method": cell.method,
                "route": cell.route,
                "hours": _plain(cell.usual.hours),
                "day": _plain(cell.usual.day),
                "peak": cell.usual.peak,
            }
            for cell in cells
        ],
    }


def restore(monitor: Monitor, told: dict[str, Any], at: float) -> bool:
    """Bring back a snapshot, aged by the time that has passed; whether there was anything in it.

    Raises before anything is changed if it is not whole.
    """
    passed = max(0.0, at - _count(told["at"]))
    service = _memory(told["service"], HALF_LIVES_S[0], passed)
    rows = [_row(row, passed) for row in told["routes"]]
    monitor.intake.service = service
    for route, method, hours, day, peak in rows:
        cell = monitor.cells.get(route, method)
        cell.usual.hours, cell.usual.day, cell.usual.peak = hours, day, peak
        monitor.intake.weigh(monitor.now(), cell)
    return bool(rows)


def _row(told: dict[str, Any], passed: float) -> tuple[str, str, Memory, Memory, float]:
    hours, day = (
        _memory(told[name], half_life, passed)
        for name, half_life in zip(("hours", "day"), HALF_LIVES_S, strict=True)
    )
    return str(told["route"]), str(told["method"]), hours, day, _count(told["peak"])


def _plain(memory: Memory) -> dict[str, Any]:
    counts = [[i, round(count, 3)] for i, count in enumerate(memory.counts) if count >= 0.001]
    return {"counts": counts, "errors": memory.errors, "refused": memory.refused, "weight": memory.weight}


def _memory(told: dict[str, Any], half_life_s: float, passed: float) -> Memory:
    memory = Memory(half_life_s)
    for i, count in told["counts"]:
        if 0 <= i < COUNT:
            memory.counts[i] = _count(count)
    memory.errors, memory.refused = _count(told["errors"]), _count(told["refused"])
    memory.weight = _count(told["weight"])
    memory.forget(passed)
    return memory


def _count(told: Any) -> float:
    """Raises ValueError for what cannot have been counted: one NaN would spoil every judgement."""
    count = float(told)
    if not 0 <= count < MOST:
        raise ValueError("no count")
    return count


def _write(path: Path, told: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(json.dumps(told, separators=(",", ":")))
        os.replace(temporary, path)
    except OSError:  # a read-only home, a full disk: then a restart forgets
        log.debug("the state cannot be saved", exc_info=True)
