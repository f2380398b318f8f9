"""The last minutes of a service's health as a small line: an inline SVG, and words for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from alertengine.core.language import Words
from alertengine.core.snapshot import Snapshot

MINUTES = 15
WIDTH, HEIGHT = 300, 60
SHORTEST_S = 30
USUAL_MIN = 12
"""Healthy reports before the trouble that make a band worth drawing: a minute at a 5 s pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`lines` are the points of each unbroken stretch; `gaps` the x of polls without an answer."""

    lines: tuple[str, ...]
    gaps: tuple[int, ...]
    band: tuple[int, int] | None
    """Top and height of what was usual before the trouble."""
    dot: tuple[int, int] | None
    began: int | None
    words: str
    axis: str
    """How far back it goes, in words."""
    width: int = WIDTH
    height: int = HEIGHT


def chart(recent: Sequence[Snapshot], began_at: datetime, now: datetime, words: Words) -> Chart | None:
    """None where there is too little to draw."""
    seen = [s for s in recent if s.at >= now - timedelta(minutes=MINUTES)]
    if sum(s.score is not None for s in seen) < 2:
        return None
    # A daemon that has just started knows little: its line fills the width all the same.
    start = min(seen[0].at, now - timedelta(seconds=SHORTEST_S))
    length_s = (now - start).total_seconds()

    def x(at: datetime) -> int:
        return round(WIDTH * (at - start).total_seconds() / length_s)

    stretches = [list(group) for scored, group in groupby(seen, lambda s: s.score is not None) if scored]
    lines = tuple(
        " ".join(f"{x(s.at)},{_y(s.score)}" for s in stretch if s.score is not None) for stretch in stretches
    )
    last = seen[-1]
    return Chart(
        lines=lines,
        gaps=tuple(x(s.at) for s in seen if s.score is None),
        band=_band(seen, began_at),
        dot=(x(last.at), _y(last.score)) if last.score is not None else None,
        began=x(began_at) if began_at >= start else None,
        words=_words(seen, _length(length_s, words), words),
        axis=words("time.ago", span=_length(length_s, words)),
    )


def _y(score: float) -> int:
    return round(HEIGHT - 2 - (HEIGHT - 4) * min(max(score, 0), 100) / 100)


def _band(seen: Sequence[Snapshot], began_at: datetime) -> tuple[int, int] | None:
    usual = sorted(s.score for s in seen if s.score is not None and s.healthy and s.at < began_at)
    if len(usual) < USUAL_MIN:
        return None
    spare = len(usual) // 10
    top, bottom = _y(usual[-1 - spare]), _y(usual[spare])
    return max(top - 1, 0), max(bottom - top + 2, 3)


def _length(seconds: float, words: Words) -> str:
    return words("time.min", n=round(seconds / 60)) if seconds >= 120 else words("time.s", n=round(seconds))


def _words(seen: Sequence[Snapshot], length: str, words: Words) -> str:
    scores = [s.score for s in seen if s.score is not None]
    lost = len(seen) - len(scores)
    first, lowest, last = (f"{score:.0f}" for score in (scores[0], min(scores), scores[-1]))
    text = words("page.health.chart", span=length, first=first, lowest=lowest, last=last)
    return f"{text} {words.count('page.health.lost', lost)}" if lost else text
