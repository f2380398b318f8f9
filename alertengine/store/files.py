"""The store's files as they were opened: somebody may take them away or exchange them under the daemon."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alertengine.errors import DataDirectoryHeld


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the store's file, by whatever name, for this process alone: two folders may lead to one file.

    It is opened before SQLite opens it and closed after: to close it in between would end SQLite's own locks.
    Raises `DataDirectoryHeld`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield  # whoever opens the store finds that too, and says why
        return
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataDirectoryHeld(
            f"Another AlertEngine uses {path}. Stop it first, or name another store."
        ) from None


class Files:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[Path, tuple[int, int]] = {}
        self._remember()

    def fault(self) -> str | None:
        """What happened to them, or None."""
        for file, seen in self._seen.items():
            try:
                if _identity(file) != seen:
                    return f"{file} was exchanged while it was in use"
            except FileNotFoundError:
                return f"{file} was taken away while it was in use"
            except OSError as error:
                return f"{file} cannot be looked at ({error.strerror})"
        self._remember()
        return None

    def _remember(self) -> None:
        for suffix in ("", "-wal", "-shm"):  # without the last, whoever looks later sees an old state
            file = self._path.with_name(f"{self._path.name}{suffix}")
            if file not in self._seen and file.exists():
                self._seen[file] = _identity(file)


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino
