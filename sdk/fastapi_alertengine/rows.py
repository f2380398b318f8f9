"""What workers tell each other: one second of each route as sparse, mergeable histograms, in JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from .buckets import COUNT
from .window import CODES

Pair = tuple[int, int]
LARGEST = 2_000_000  # keys of one route in one second


class Row(NamedTuple):
    """One second of one route, counted by key as in a window. `late` and `ended` count requests that
    became slow, or began to crawl, while in flight, and those of them that have ended."""

    method: str
    route: str
    counts: Counter[int]
    late: Pair = (0, 0)
    ended: Pair = (0, 0)

    def merge(self, other: Row) -> Row:
        """Both together; the order of merging makes no difference."""
        return self._replace(
            counts=self.counts + other.counts,
            late=(self.late[0] + other.late[0], self.late[1] + other.late[1]),
            ended=(self.ended[0] + other.ended[0], self.ended[1] + other.ended[1]),
        )


class Batch(NamedTuple):
    """One second of one worker."""

    in_flight: int
    rows: list[Row]


def encode(batch: Batch) -> bytes:
    rows = [[row.method, row.route, _flat(row.counts), [*row.late, *row.ended]] for row in batch.rows]
    return json.dumps([batch.in_flight, rows], separators=(",", ":")).encode()


def decode(raw: bytes) -> Batch:
    """Raises ValueError for anything that `encode` does not write."""
    try:
        in_flight, rows = json.loads(raw)
        return Batch(int(in_flight), [_row(*fields) for fields in rows])
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError("not a batch") from error


def _row(method: str, route: str, counts: list[int], marks: list[int]) -> Row:
    slow, crawl, slow_ended, crawl_ended = (int(mark) for mark in marks)
    told = _pairs(counts)
    if not all(0 <= key < COUNT or CODES < key < CODES + 1000 for key in told):
        raise ValueError("no such key")
    if any(count < 0 for count in told.values()) or sum(told.values()) > LARGEST:
        raise ValueError("no such count")
    return Row(str(method), str(route), told, (slow, crawl), (slow_ended, crawl_ended))


def _flat(counts: Counter[int]) -> list[int]:
    return [number for pair in counts.items() for number in pair]


def _pairs(flat: list[Any]) -> Counter[int]:
    return Counter(dict(zip(map(int, flat[::2]), map(int, flat[1::2]), strict=True)))
