"""Counts by key in little room: a word of 32 bits a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_SHIFT = 21  # a word is key << 21 | count
MOST = (1 << _SHIFT) - 1


def pack(counts: Counter[int]) -> list[int]:
    """Keys are under 2048; a count beyond `MOST` takes several words."""
    words = [key << _SHIFT | count for key, count in counts.items() if count <= MOST]
    if len(words) < len(counts):
        for key, count in counts.items():
            whole, rest = divmod(count, MOST)
            if count > MOST:
                words += [key << _SHIFT | MOST] * whole + [key << _SHIFT | rest] * (rest > 0)
    return words


def unpack(words: Iterable[int]) -> list[tuple[int, int]]:
    return [(word >> _SHIFT, word & MOST) for word in words]
