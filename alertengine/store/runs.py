"""What recoveries have done before."""

from __future__ import annotations

from alertengine.core.events import Event, EventType
from alertengine.store.base import Query
from alertengine.store.log import decode_event

INCIDENTS_LIMIT = 20

_TYPES = (
    EventType.RECOVERY_AUTHORIZED,
    EventType.RECOVERY_FAILED,
    EventType.RECOVERY_OUTCOME_UNKNOWN,
    EventType.HEALTH_VERIFIED,
    EventType.HEALTH_NOT_RECOVERED,
)


def executions(tenant: str, but: str) -> Query[list[Event]]:
    """Authorizations and their outcomes in the tenant's last real incidents with one, other than `but`."""
    marks = ", ".join("?" * len(_TYPES))
    # The marks are placeholders; every value travels as a parameter.
    sql = f"""
        SELECT body, hash FROM event WHERE tree = ? AND type IN ({marks}) AND incident IN (
            SELECT id FROM incident i WHERE tenant = ? AND id <> ? AND is_test = 0
            AND EXISTS (SELECT 1 FROM execution x WHERE x.tenant = i.tenant AND x.incident = i.id)
            ORDER BY opened_at DESC LIMIT ?)
        ORDER BY idx
    """  # noqa: S608
    return Query(
        sql=sql,
        params=(tenant, *map(str, _TYPES), tenant, but, INCIDENTS_LIMIT),
        decode=lambda rows: [decode_event(body, leaf) for body, leaf in rows],
    )
