"""The high-water mark: how far the store had come, kept outside its file.

A store file that was replaced by an older copy still verifies, since everything in it was once true. The mark
beside it tells; a second one elsewhere tells where the whole folder was put back. A mark is one short write after
each commit, not synchronised: in a power cut, or by one commit where the process is killed, it may fall behind the
store, but it can never be ahead of it. So a copy that is older by no more than that is not told from the store.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

log = logging.getLogger(__name__)

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


FRESH = Seen("-", 0, "-", 0, bytes(32))
"""The mark beside a store that nothing was written to yet."""


class Mark:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def read(self) -> Seen | None:
        """The mark, or None where there is none or it cannot be understood."""
        try:
            line, digest, _ = self.path.read_text().split("\n", 2)
            form, incarnation, total, tree, size, root = line.split(" ")
        except (OSError, ValueError):
            return None
        if form != _FORM or digest != _digest(line):
            return None
        return Seen(incarnation, int(total), tree, int(size), bytes.fromhex(root))

    def write(self, seen: Seen) -> None:
        line = f"{_FORM} {seen.incarnation} {seen.total} {seen.tree} {seen.size} {seen.root.hex()}"
        data = f"{line}\n{_digest(line)}\n".encode().ljust(_BYTES)
        if self._descriptor is not None:
            os.pwrite(self._descriptor, data, 0)
            return
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(self._descriptor, data, 0)
        os.fsync(self._descriptor)  # so that a power cut leaves a mark, if not the newest

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Marks:
    """The mark beside the store and, where the operator named a place for it, the one elsewhere."""

    def __init__(self, store: Path, elsewhere: Path | None = None) -> None:
        self.beside = Mark(store.with_suffix(".mark"))
        self.elsewhere = Mark(elsewhere) if elsewhere else None
        self.trouble: str | None = None
        """Why one of them could not be written."""

    def write(self, seen: Seen) -> None:
        """The events themselves are safe, whatever happens here; the next commit marks again."""
        trouble = None
        for mark in self._all():
            try:
                mark.write(seen)
            except OSError as error:
                trouble = f"the high-water mark {mark.path} cannot be written ({error.strerror})"
        if trouble and trouble != self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble

    def close(self) -> None:
        for mark in self._all():
            mark.close()

    def _all(self) -> list[Mark]:
        return [self.beside, *([self.elsewhere] if self.elsewhere else [])]


def _digest(line: str) -> str:
    return sha256(line.encode()).hexdigest()
