"""The high-water mark: how far the store had come, kept outside its file.

A store file that was replaced by an older copy still verifies, since everything in it was once true. The mark
beside it tells. It is one short write after each commit, not synchronised: it may fall behind the store in a
power cut, which does no harm, but it can never be ahead of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_FORM = "alertengine-mark/1"
_BYTES = 512
"""One sector: a mark is there whole or as it was before."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The store's life, its events altogether, and the head of the tree that grew last."""

    incarnation: str
    total: int
    tree: str
    size: int
    root: bytes


class Mark:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def read(self) -> Seen | None:
        """The mark, or None where there is none or it cannot be understood."""
        try:
            line, digest, _ = self._path.read_text().split("\n", 2)
            form, incarnation, total, tree, size, root = line.split(" ")
        except (FileNotFoundError, ValueError):
            return None
        if form != _FORM or digest != _digest(line):
            return None
        return Seen(incarnation, int(total), tree, int(size), bytes.fromhex(root))

    def write(self, seen: Seen) -> None:
        line = f"{_FORM} {seen.incarnation} {seen.total} {seen.tree} {seen.size} {seen.root.hex()}"
        data = f"{line}\n{_digest(line)}\n".encode().ljust(_BYTES)
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(self._descriptor, data, 0)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _digest(line: str) -> str:
    return sha256(line.encode()).hexdigest()
