"""A memory-mapped ring of records with one writer and any number of readers, without locks.

Layout: magic, pid, heartbeat (monotonic seconds), bytes ever written; then the ring. A record is
its length, its CRC and its bytes. The count is written last; whoever reads what is being
overwritten sees it in the CRC.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from pathlib import Path

MAGIC = b"AERING01"
HEAD = struct.Struct("<8sQdQ")
RECORD = struct.Struct("<II")
CAPACITY = 1 << 20
LARGEST = CAPACITY // 4


class Writer:
    """Creates the file, under another name first, so that no reader sees half a header."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._written = 0
        temporary = path.with_suffix(".new")
        with open(temporary, "wb+") as file:
            file.truncate(HEAD.size + CAPACITY)
            self._map = mmap.mmap(file.fileno(), HEAD.size + CAPACITY)
        self.beat(now)
        os.replace(temporary, path)

    def beat(self, now: float) -> None:
        HEAD.pack_into(self._map, 0, MAGIC, os.getpid(), now, self._written)

    def write(self, now: float, raw: bytes) -> bool:
        """False where the record is too large for the ring."""
        if len(raw) > LARGEST:
            return False
        record = RECORD.pack(len(raw), zlib.crc32(raw)) + raw
        start = self._written % CAPACITY
        first = min(len(record), CAPACITY - start)
        self._map[HEAD.size + start : HEAD.size + start + first] = record[:first]
        self._map[HEAD.size : HEAD.size + len(record) - first] = record[first:]
        self._written += len(record)
        self.beat(now)
        return True

    def close(self) -> None:
        self._map.close()
        self._path.unlink(missing_ok=True)


class Reader:
    """Follows one writer from now on. Raises OSError or ValueError if the file is no ring."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size != HEAD.size + CAPACITY:
                raise ValueError("not a ring")
            self._map = mmap.mmap(file.fileno(), HEAD.size + CAPACITY, access=mmap.ACCESS_READ)
        magic, self.pid, self.beat, self._read = HEAD.unpack_from(self._map, 0)
        if magic != MAGIC:
            raise ValueError("not a ring")

    def read(self) -> tuple[list[bytes], int]:
        """New records, and how many times some were lost because reading came too late."""
        _, self.pid, self.beat, written = HEAD.unpack_from(self._map, 0)
        records: list[bytes] = []
        while self._read < written:
            raw = self._record(written)
            if raw is None:
                self._read = written
                return records, 1
            records.append(raw)
        return records, 0

    def _record(self, written: int) -> bytes | None:
        if written - self._read > CAPACITY:
            return None
        length, crc = RECORD.unpack(self._bytes(self._read, RECORD.size))
        if length > LARGEST or self._read + RECORD.size + length > written:
            return None
        raw = self._bytes(self._read + RECORD.size, length)
        if zlib.crc32(raw) != crc:
            return None
        self._read += RECORD.size + length
        return raw

    def _bytes(self, position: int, length: int) -> bytes:
        start = position % CAPACITY
        first = min(length, CAPACITY - start)
        head = self._map[HEAD.size + start : HEAD.size + start + first]
        return head + self._map[HEAD.size : HEAD.size + length - first]

    def close(self) -> None:
        self._map.close()
