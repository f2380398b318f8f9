"""What time it is for AlertEngine: it never goes back, and a clock that jumps ahead is not believed at once.

Between two looks time goes on by the monotonic clock. A wall clock that is behind is not followed at all; one that
is ahead a little is followed; one that jumped ahead is followed once it has stood there for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FOLLOW_S = 5.0
"""A clock that is ahead by no more than this is followed at once."""
BELIEVE_AFTER_S = 600.0
"""A clock that jumped further ahead is followed after it has gone on steadily from there for this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Effective time `at` when the monotonic clock showed `ticks`; the wall clock was `gap_s` ahead of it."""

    at: datetime
    ticks: float
    gap_s: float = 0.0
    ahead_since: float | None = None
    """When (monotonic) the wall clock jumped ahead to where it is."""

    def next(self, wall: datetime, ticks: float) -> Steady:
        """The same at a later look."""
        ran = self.at + timedelta(seconds=max(0.0, ticks - self.ticks))
        gap_s = (wall - ran).total_seconds()
        here = Steady(at=ran, ticks=ticks, gap_s=gap_s)
        if gap_s <= 0:
            return here
        if gap_s <= FOLLOW_S:
            return replace(here, at=wall, gap_s=0.0)
        since = ticks if self.ahead_since is None or abs(gap_s - self.gap_s) > FOLLOW_S else self.ahead_since
        if ticks - since >= BELIEVE_AFTER_S:
            return replace(here, at=wall, gap_s=0.0)
        return replace(here, ahead_since=since)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the machine's clock, None where it is right."""
        if abs(self.gap_s) <= FOLLOW_S:
            return None
        span = timedelta(seconds=round(abs(self.gap_s)))
        if self.gap_s > 0:
            return f"the machine's clock jumped ahead by {span}; it is believed once it goes on from there"
        return f"the machine's clock is {span} behind the record, which goes on from its own time"
