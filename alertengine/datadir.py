"""The folder where a daemon lives: its lock, its generated secrets, its socket, its store."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alertengine.errors import ConfigError, DataDirectoryHeld

GENERATED_LENGTH = 48
SOCKET_PATH_LIMIT = 100
"""A Unix socket's path has about 107 bytes; the kernel refuses longer ones."""


class DataDir:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def prepare(self) -> None:
        """Make the folder, for its owner alone. Raises `ConfigError` where that cannot be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o700)
        except OSError as error:
            raise ConfigError(
                [f"data_dir: {self.path} cannot be used ({error.strerror}); choose another with --data-dir"]
            ) from error

    @property
    def is_there(self) -> bool:
        """Raises `ConfigError` where it never can be."""
        return self.socket.parent.exists()

    @property
    def socket(self) -> Path:
        """Where a running daemon answers the command line."""
        path = self.path / "daemon.sock"
        if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
            raise ConfigError([f"data_dir: {self.path} is too long for a socket; choose a shorter path"])
        return path

    @property
    def ledger_key(self) -> Path:
        return self.path / "ledger.key"

    def generated(self, name: str) -> str:
        """The secret of that name, made and kept with mode 0600 the first time."""
        file = self.path / name
        try:
            kept = file.read_text().strip()
        except FileNotFoundError:
            return self._generate(file)
        if len(kept) < GENERATED_LENGTH:
            raise ConfigError(
                [f"{file}: holds no whole secret; put it back, or remove the file for a new one"]
            )
        return kept

    def _generate(self, file: Path) -> str:
        """Whole or not at all: written beside its place, then named."""
        fresh = secrets.token_urlsafe(36)
        beside = file.with_suffix(".new")
        descriptor = os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(fresh + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.rename(file)
        return fresh

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process alone, as long as it lives. Raises `DataDirectoryHeld`."""
        with open(self.path / "lock", "a+", encoding="ascii", opener=_private) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                pid = file.read().strip() or "unknown"
                raise DataDirectoryHeld(
                    f"Another AlertEngine (process {pid}) holds {self.path}. Stop it first, or choose another "
                    "--data-dir."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    @property
    def is_held(self) -> bool:
        """Another process holds it now."""
        try:
            with self.held():
                return False
        except DataDirectoryHeld:
            return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
