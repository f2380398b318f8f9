"""The store's files as they were opened: somebody may take them away or exchange them under the daemon."""

from __future__ import annotations

from pathlib import Path


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
        for file in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            if file not in self._seen and file.exists():
                self._seen[file] = _identity(file)


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino
