"""Worker processes of one host agree through memory-mapped rings, one file a worker, no server."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from .ring import GONE, KEPT_S, Reader, Writer, owner
from .rows import Batch, decode, encode

LOOK_S = 1.0  # how often to look for new and dead workers
ALIVE_S = 10.0
STALE_S = 120.0


def directory(service: str) -> Path:
    """The meeting place of the workers that one parent process started for a service.

    `ALERTENGINE_SHARED_DIR` names another, for workers without a common parent.
    """
    chosen = os.environ.get("ALERTENGINE_SHARED_DIR")
    if chosen:
        return Path(chosen)
    key = hashlib.sha256(f"{service}\0{os.getppid()}".encode()).hexdigest()[:16]
    memory = Path("/dev/shm")  # noqa: S108 - the directory made there is private and checked
    base = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return base / f"{_prefix()}{key}"


def _prefix() -> str:
    return f"alertengine-{os.getuid()}-"


def sweep(base: Path) -> None:
    """Remove meeting places that were left behind: all who met there are dead."""
    for place in base.glob(_prefix() + "*"):
        if not place.is_symlink() and _left(place):
            _remove(place)


def _left(place: Path) -> bool:
    """Whether nobody who wrote a ring there is alive."""
    try:
        rings = list(place.glob("*.ring"))
        return bool(rings) and all(_dead(owner(ring)) for ring in rings)
    except (OSError, ValueError):
        return False


def _remove(place: Path) -> None:
    try:
        for path in place.iterdir():
            path.unlink(missing_ok=True)
        place.rmdir()
    except OSError:  # somebody has come meanwhile
        return


class Shared:
    """Opens its own ring at the first exchange in each process, so that forking after set-up is safe."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._pid = 0
        self._looked = -LOOK_S
        self._writer: Writer | None = None
        self._readers: dict[str, Reader] = {}
        self._path = Path()
        self._name = ""
        self._counts: dict[str, int] = {}
        self._told = 0  # in flight, as the others know it
        self.workers = 1
        self.in_flight = 0
        self._dropped = 0

    def past(self, now: float) -> list[tuple[float, Batch]]:
        try:
            self._open(now)
            self._look(now)
            told = [one for name, reader in self._readers.items() for one in self._take(name, reader)]
        except (OSError, ValueError):
            self._give_up()
            return []
        return sorted(told, key=lambda one: one[0])

    def exchange(self, now: float, batch: Batch) -> list[Batch]:
        try:
            if self._pid != os.getpid():
                self._open(now)
            return self._exchange(now, batch)
        except (OSError, ValueError):
            self._give_up()
            return []

    def _give_up(self) -> None:
        """For now: the next exchange tries again."""
        self._dropped += 1
        self._writer = None
        self._pid = 0

    def told(self) -> dict[str, Any]:
        state = "ok" if self._writer is not None or not self._dropped else "degraded"
        return {"mode": "shared", "state": state, "dropped": self._dropped}

    def close(self) -> None:
        """Leave; who is the last takes all rings away."""
        if self._writer is not None and self._pid == os.getpid():
            self._writer.leave()
            self._writer = None
            self._pid = 0
            if _left(self._path):
                _remove(self._path)
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _open(self, now: float) -> None:
        self._readers, self._counts, self._told = {}, {}, 0
        self._path = directory(self._service)
        if not self._path.exists():
            sweep(self._path.parent)
        self._path.mkdir(mode=0o700, exist_ok=True)
        told = self._path.lstat()
        if told.st_uid != os.getuid() or not self._path.is_dir() or self._path.is_symlink():
            raise OSError("the shared directory belongs to somebody else")
        self._pid = os.getpid()
        self._name = f"{self._pid}-{secrets.token_hex(4)}.ring"
        self._writer = Writer(self._path / self._name, now)
        self._looked = -LOOK_S

    def _exchange(self, now: float, batch: Batch) -> list[Batch]:
        assert self._writer is not None
        if batch.rows or batch.in_flight != self._told:
            self._told = batch.in_flight
            self._dropped += not self._writer.write(now, encode(batch))
        else:
            self._writer.beat(now)
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look(now)
        batches = [one for name, reader in self._readers.items() for _, one in self._take(name, reader)]
        alive = [
            name
            for name, reader in self._readers.items()
            if now - reader.beat < ALIVE_S and not _dead(reader.pid)
        ]
        self.workers = 1 + len(alive)
        self.in_flight = sum(self._counts.get(name, 0) for name in alive)
        return batches

    def _take(self, name: str, reader: Reader) -> list[tuple[float, Batch]]:
        records, lost = reader.read()
        self._dropped += lost
        batches = [(at, batch) for at, raw in records if (batch := self._decoded(raw)) is not None]
        if batches:
            self._counts[name] = batches[-1][1].in_flight
        return batches

    def _decoded(self, raw: bytes) -> Batch | None:
        """None for what another version of the SDK wrote, as while workers are replaced one by one."""
        try:
            return decode(raw)
        except ValueError:
            self._dropped += 1
            return None

    def _look(self, now: float) -> None:
        """Find new rings; remove those of the dead once nobody needs their last minute any more."""
        names = {path.name for path in self._path.glob("*.ring")} - {self._name}
        for name in set(self._readers) - names:
            self._readers.pop(name).close()
            self._counts.pop(name, None)
        for name in names:
            try:
                reader = self._readers.get(name) or self._readers.setdefault(name, Reader(self._path / name))
            except (OSError, ValueError):
                continue
            silent = now - reader.beat
            if silent > STALE_S or (silent > KEPT_S and _dead(reader.pid)):
                self._readers.pop(name).close()
                (self._path / name).unlink(missing_ok=True)


def _dead(pid: int) -> bool:
    if pid == GONE:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
