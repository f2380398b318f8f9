"""Store a database of today's schema, once at each release that changed it: python tests/store/make_database.py"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from pathlib import Path

from test_life import AT, DETECTED, opened

from alertengine.core.events import EventType, NewEvent
from alertengine.ledger.schema import SCHEMA_VERSION
from alertengine.store import links
from alertengine.store.prune import prune

EVENTS = [
    NewEvent(type=EventType.INCIDENT_DETECTED, data=DETECTED),
    NewEvent(type=EventType.ALERT_ACCEPTED, data={"asks": True}),
    NewEvent(type=EventType.INCIDENT_RESOLVED),
]


async def fill(path: Path) -> None:
    async with opened(path) as store:
        await store.transact(lambda tx: tx.append("t_1", "inc_stored", EVENTS, 0, AT))
        other = [
            NewEvent(type=EventType.INCIDENT_DETECTED, data={**DETECTED, "service_id": "svc_2"}),
            *EVENTS[1:],
        ]
        await store.transact(lambda tx: tx.append("t_1", "inc_pruned", other, 0, AT))
        await store.transact(lambda tx: prune(tx, "t_1", "inc_pruned", {"reason": "retention"}, AT))
        await store.transact(lambda tx: links.offer(tx, "t_1", "inc_stored", "c_1", 1, "jti_1", AT))


def main() -> None:
    target = Path(__file__).parent / "databases" / f"schema_{SCHEMA_VERSION}.db.gz"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        asyncio.run(fill(path))
        target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
