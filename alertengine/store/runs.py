"""What recoveries have done before."""

from __future__ import annotations

from alertengine.core.events import Event, EventType
from alertengine.store.base import Query
from alertengine.store.log import decode_event

INCIDENTS_LIMIT = 20

_TYPES = (
    EventType.DIAGNOSIS_COMPLETED,
    EventType.RECOVERY_AUTHORIZED,
    EventType.RECOVERY_FAILED,
    EventType.RECOVERY_OUTCOME_UNKNOWN,
    EventType.HEALTH_VERIFIED,
    EventType.HEALTH_NOT_RECOVERED,
)


def executions(tenant: str, service_id: str, but: str) -> Query[list[Event]]:
    """Causes, authorizations and outcomes in the service's last real incidents with a run, other than `but`."""
    marks = ", ".join("?" * len(_TYPES))
    # The marks are placeholders; every value travels as a parameter.
    sql = f"""
        SELECT body, hash FROM event WHERE tree = ? AND type IN ({marks}) AND incident IN (
            SELECT id FROM incident i WHERE tenant = ? AND service_id = ? AND id <> ? AND is_test = 0
            AND EXISTS (SELECT 1 FROM execution x WHERE x.tenant = i.tenant AND x.incident = i.id)
            ORDER BY opened_at DESC LIMIT ?)
        ORDER BY place
    """  # noqa: S608
    return Query(
        sql=sql,
        params=(tenant, *map(str, _TYPES), tenant, service_id, but, INCIDENTS_LIMIT),
        decode=lambda rows: [decode_event(body, leaf) for body, leaf in rows],
    )
