"""How many incidents each tenant had in its current 30 days, and when one past the plan's number was told of.

Both writes are single statements inside the caller's transaction. They go by the time on record: ahead of it, once
that is believed, a period ends early; behind it, the count is kept and the period begins now, so that none is ever
longer than 30 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alertengine.core.model import parse_time, rfc3339
from alertengine.core.plans import PERIOD_DAYS
from alertengine.store.base import Query, Transaction

PERIOD = timedelta(days=PERIOD_DAYS)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    incidents: int
    since: datetime

    @property
    def until(self) -> datetime:
        return self.since + PERIOD


def count(tx: Transaction, tenant: str, now: datetime) -> int:
    """Count one more incident; answer how many there are in this period."""
    at, over = rfc3339(now), rfc3339(now - PERIOD)
    tx.execute(
        "INSERT INTO quota (tenant, since_at, incidents) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET"
        " incidents = CASE WHEN since_at <= ? THEN 1 ELSE incidents + 1 END,"
        " since_at = CASE WHEN since_at <= ? OR since_at > ? THEN excluded.since_at ELSE since_at END",
        tenant,
        at,
        over,
        over,
        at,
    )
    found = tx.fetch(used(tenant, now))
    return found.incidents if found else 0


def used(tenant: str, now: datetime) -> Query[Used | None]:
    """What the current period holds; None where none has begun."""
    return Query(
        sql="SELECT incidents, since_at FROM quota WHERE tenant = ? AND since_at > ?",
        params=(tenant, rfc3339(now - PERIOD)),
        decode=lambda rows: Used(incidents=rows[0][0], since=parse_time(rows[0][1])) if rows else None,
    )


def take_turn(tx: Transaction, tenant: str, now: datetime) -> bool:
    """Whether today's one alert past the number is still free; taken with the answer."""
    return (
        tx.execute(
            "UPDATE quota SET told_at = ? WHERE tenant = ? AND (told_at IS NULL OR told_at <= ? OR told_at > ?)",
            rfc3339(now),
            tenant,
            rfc3339(now - DAY),
            rfc3339(now),
        )
        == 1
    )


def next_turn(tenant: str) -> Query[datetime]:
    """When the next such alert may go."""
    return Query(
        sql="SELECT told_at FROM quota WHERE tenant = ?",
        params=(tenant,),
        decode=lambda rows: parse_time(rows[0][0]) + DAY,
    )
