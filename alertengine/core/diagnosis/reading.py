"""JSON of unknown make as typed values: whatever is not what it should be counts as absent."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_LARGEST: Final = 1e12


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure and what it usually is; either may be unknown."""

    now: float | None = None
    usual: float | None = None

    def rise(self, healthy: float = 0.0) -> float:
        """How far above usual; `healthy` stands in where the usual value is unknown. Zero if unknown."""
        if self.now is None:
            return 0.0
        return self.now - (healthy if self.usual is None else self.usual)

    def factor(self, slack: float = 0.0) -> float:
        """How many times the usual, one if unknown; `slack` on both keeps tiny figures from exploding."""
        if self.now is None or self.usual is None or self.usual + slack <= 0:
            return 1.0
        return (self.now + slack) / (self.usual + slack)


def number(value: object) -> float | None:
    """A finite number within sense; None for anything else, booleans too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > _LARGEST:
        return None
    return float(value) if math.isfinite(value) and abs(value) <= _LARGEST else None


def positive(value: object) -> float | None:
    """A number that cannot be below zero, such as a rate or a duration."""
    found = number(value)
    return None if found is None or found < 0 else found


def mapping(value: object) -> Mapping[str, object]:
    """The object itself, or an empty one."""
    return value if isinstance(value, Mapping) else NOTHING


def rows(value: object, limit: int) -> Iterator[Mapping[str, object]]:
    """The objects among the first `limit` entries of a list."""
    if isinstance(value, list):
        yield from (row for row in value[:limit] if isinstance(row, Mapping))


def pair(row: Mapping[str, object], usual: Mapping[str, object], key: str) -> Reading:
    """The figure `key` now and usually."""
    return Reading(positive(row.get(key)), positive(usual.get(key)))


def clamp(value: float) -> float:
    """`value` within 0 and 1."""
    return min(1.0, max(0.0, value))
