"""Fitting text to a channel's limits. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

ELLIPSIS = "…"


def units(text: str) -> int:
    """Length in UTF-16 code units: what phones count. Never less than the number of characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def flatten(text: str) -> str:
    """One line without control or formatting characters: measured strings are not ours and may hold anything."""
    kept = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return " ".join("".join(c for c in kept if unicodedata.category(c) not in ("Cf", "Cs")).split())


def clip(text: str, limit: int, measure: Callable[[str], int] = units) -> str:
    """The longest beginning of `text` that measures at most `limit`, with an ellipsis where it was cut."""
    if measure(text) <= limit:
        return text
    low, high = 0, len(text)
    while low < high:  # the longest prefix that fits together with the ellipsis
        middle = (low + high + 1) // 2
        if measure(text[:middle].rstrip() + ELLIPSIS) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS


def fit(lines: Sequence[str], limit: int, measure: Callable[[str], int] = units) -> tuple[str, ...]:
    """`lines` cut until they measure at most `limit` joined by line breaks: always the longest is cut first."""
    kept = list(lines)
    while kept and (over := measure("\n".join(kept)) - limit) > 0:
        place = max(range(len(kept)), key=lambda i: measure(kept[i]))
        room = measure(kept[place]) - over
        if room <= len(ELLIPSIS):
            kept.pop(place)
        else:
            kept[place] = clip(kept[place], room, measure)
    return tuple(kept)
