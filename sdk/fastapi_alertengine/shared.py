"""Worker processes of one host agree through memory-mapped rings, one file a worker, no server."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from .ring import Reader, Writer
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
    return base / f"alertengine-{os.getuid()}-{key}"


class Shared:
    """Opens its own ring at the first exchange in each process, so that forking after set-up is safe."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._pid = 0
        self._looked = -LOOK_S
        self._writer: Writer | None = None
        self._readers: dict[str, Reader] = {}
        self._path = Path()
        self._counts: dict[str, int] = {}
        self.workers = 1
        self.in_flight = 0
        self._dropped = 0

    def exchange(self, now: float, batch: Batch) -> list[Batch]:
        try:
            if self._pid != os.getpid():
                self._open(now)
            return self._exchange(now, batch)
        except (OSError, ValueError):
            self._dropped += 1
            self._writer = None
            self._pid = 0
            return []

    def told(self) -> dict[str, Any]:
        state = "ok" if self._writer is not None or not self._dropped else "degraded"
        return {"mode": "shared", "state": state, "dropped": self._dropped}

    def close(self) -> None:
        """Leave: the ring is removed, the others notice at once."""
        if self._writer is not None and self._pid == os.getpid():
            self._writer.close()
            self._writer = None
            self._pid = 0
            try:
                self._path.rmdir()
            except OSError:  # others are still there
                pass
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _open(self, now: float) -> None:
        self._readers, self._counts = {}, {}
        self._path = directory(self._service)
        self._path.mkdir(mode=0o700, exist_ok=True)
        told = self._path.lstat()
        if told.st_uid != os.getuid() or not self._path.is_dir() or self._path.is_symlink():
            raise OSError("the shared directory belongs to somebody else")
        self._writer = Writer(self._path / f"{os.getpid()}.ring", now)
        self._pid = os.getpid()
        self._looked = -LOOK_S

    def _exchange(self, now: float, batch: Batch) -> list[Batch]:
        assert self._writer is not None
        if batch.rows or batch.in_flight:
            self._dropped += not self._writer.write(now, encode(batch))
        else:
            self._writer.beat(now)
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look(now)
        batches = [one for name, reader in self._readers.items() for one in self._take(name, reader)]
        alive = [name for name, reader in self._readers.items() if now - reader.beat < ALIVE_S]
        self.workers = 1 + len(alive)
        self.in_flight = sum(self._counts.get(name, 0) for name in alive)
        return batches

    def _take(self, name: str, reader: Reader) -> list[Batch]:
        records, lost = reader.read()
        self._dropped += lost
        batches = [decode(raw) for raw in records]
        self._counts[name] = batches[-1].in_flight if batches else 0
        return batches

    def _look(self, now: float) -> None:
        """Find new rings; forget and remove those of the dead."""
        names = {path.name for path in self._path.glob("*.ring")} - {f"{os.getpid()}.ring"}
        for name in set(self._readers) - names:
            self._readers.pop(name).close()
            self._counts.pop(name, None)
        for name in names:
            try:
                reader = self._readers.get(name) or self._readers.setdefault(name, Reader(self._path / name))
            except (OSError, ValueError):
                continue
            if _dead(reader.pid) or now - reader.beat > STALE_S:
                self._readers.pop(name).close()
                (self._path / name).unlink(missing_ok=True)


def _dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
