"""Hours in which a person is left alone. Pure: a zone comes in as an object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from alertengine.core.escalation import EVERYONE, is_meant
from alertengine.core.model import Contact

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CRITICAL = "critical"
NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From `begins` to `ends` by the clock on the wall of `zone`; across midnight where `ends` is not later.

    `days`: those on which they begin. `lets_through`: "critical" or "nothing".
    """

    begins: time
    ends: time
    zone: tzinfo
    who: tuple[str, ...] = (EVERYONE,)
    days: tuple[str, ...] = DAYS
    lets_through: str = CRITICAL
    tenant: str | None = None

    def until(self, now: datetime) -> datetime | None:
        """When they end, if it is quiet now."""
        here = now.astimezone(self.zone)
        for back in (0, 1):
            day = here.date() - timedelta(days=back)
            if DAYS[day.weekday()] not in self.days:
                continue
            last_day = day if self.begins < self.ends else day + timedelta(days=1)
            begins, ends = datetime.combine(day, self.begins), datetime.combine(last_day, self.ends)
            if begins <= here.replace(tzinfo=None) < ends:
                return self._after(ends, now)
        return None

    def _after(self, wall: datetime, now: datetime) -> datetime:
        """The moment at which the wall clock shows `wall`; where it shows it twice, the first one after `now`."""
        moments = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return next((moment for moment in moments if moment > now), now + timedelta(minutes=1))


def quiet_until(
    contact: Contact, hours: Iterable[QuietHours], severity: str, now: datetime
) -> datetime | None:
    """Until when this person is left alone with a message of this severity; None where they may be told."""
    ends = (
        h.until(now)
        for h in hours
        if h.tenant in (None, contact.tenant_id)
        and is_meant(contact, h.who)
        and not (h.lets_through == CRITICAL and severity == CRITICAL)
    )
    return max((end for end in ends if end is not None), default=None)
