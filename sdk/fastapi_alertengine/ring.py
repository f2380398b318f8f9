"""A memory-mapped ring of records with one writer and any number of readers, without locks.

Layout: magic, pid, heartbeat (monotonic seconds), bytes ever written, where the last minute begins;
then the ring. A record is its length, its CRC, its time and its bytes. The counts are written last;
whoever reads what is being overwritten sees it in the CRC.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections import deque
from pathlib import Path

MAGIC = b"AERING02"
HEAD = struct.Struct("<8sQdQQ")
RECORD = struct.Struct("<IId")
CAPACITY = 1 << 20
LARGEST = CAPACITY // 4
GONE = 0  # the process of a writer that has left
KEPT_S = 60.0  # what a worker that comes later reads


Record = tuple[float, bytes]  # when it was written, and what


def owner(path: Path) -> int:
    """The process that writes a ring. Raises OSError or ValueError if the file is none."""
    with open(path, "rb") as file:
        head = file.read(HEAD.size)
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        raise ValueError("not a ring")
    return int(HEAD.unpack(head)[1])


class Writer:
    """Creates the file, under another name first, so that no reader sees half a header."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._written = 0
        self._recent: deque[tuple[float, int]] = (
            deque()
        )  # time and position of the records of the last minute
        temporary = path.with_suffix(".new")
        with open(temporary, "wb+") as file:
            file.truncate(HEAD.size + CAPACITY)
            self._map = mmap.mmap(file.fileno(), HEAD.size + CAPACITY)
        self.beat(now)
        os.replace(temporary, path)

    def beat(self, now: float) -> None:
        recent = self._recent
        while recent and (recent[0][0] < now - KEPT_S or recent[0][1] < self._written - CAPACITY + LARGEST):
            recent.popleft()
        begins = recent[0][1] if recent else self._written
        HEAD.pack_into(self._map, 0, MAGIC, os.getpid(), now, self._written, begins)

    def write(self, now: float, raw: bytes) -> bool:
        """False where the record is too large for the ring."""
        if len(raw) > LARGEST:
            return False
        record = RECORD.pack(len(raw), zlib.crc32(raw), now) + raw
        self._recent.append((now, self._written))
        start = self._written % CAPACITY
        first = min(len(record), CAPACITY - start)
        self._map[HEAD.size + start : HEAD.size + start + first] = record[:first]
        self._map[HEAD.size : HEAD.size + len(record) - first] = record[first:]
        self._written += len(record)
        self.beat(now)
        return True

    def leave(self) -> None:
        """Write no more; the ring stays for those who have yet to read it."""
        struct.pack_into("<Q", self._map, len(MAGIC), GONE)
        self._map.close()


class Reader:
    """Follows one writer, from its last minute on. Raises OSError or ValueError if the file is no ring."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size != HEAD.size + CAPACITY:
                raise ValueError("not a ring")
            self._map = mmap.mmap(file.fileno(), HEAD.size + CAPACITY, access=mmap.ACCESS_READ)
        magic, self.pid, self.beat, _, self._read = HEAD.unpack_from(self._map, 0)
        if magic != MAGIC:
            raise ValueError("not a ring")

    def read(self) -> tuple[list[Record], int]:
        """New records, and how many times some were lost because reading came too late."""
        _, self.pid, self.beat, written, _ = HEAD.unpack_from(self._map, 0)
        records: list[Record] = []
        while self._read < written:
            record = self._record(written)
            if record is None:
                self._read = written
                return records, 1
            records.append(record)
        return records, 0

    def _record(self, written: int) -> Record | None:
        if written - self._read > CAPACITY:
            return None
        length, crc, at = RECORD.unpack(self._bytes(self._read, RECORD.size))
        if length > LARGEST or self._read + RECORD.size + length > written:
            return None
        raw = self._bytes(self._read + RECORD.size, length)
        if zlib.crc32(raw) != crc:
            return None
        self._read += RECORD.size + length
        return at, raw

    def _bytes(self, position: int, length: int) -> bytes:
        start = position % CAPACITY
        first = min(length, CAPACITY - start)
        head = self._map[HEAD.size + start : HEAD.size + start + first]
        return head + self._map[HEAD.size : HEAD.size + length - first]

    def close(self) -> None:
        self._map.close()
