"""Times in which a service may be broken without anybody being called: deployments, known trouble. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.model import rfc3339

ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """It always ends. `service` and `route` are patterns with `*`; a route's pattern fits no incident without one."""

    id: str
    tenant_id: str
    service: str = ANY
    route: str = ANY
    reason: str
    by: str
    """Who set it."""
    starts_at: datetime
    until: datetime

    def covers(self, incident: Incident, now: datetime) -> bool:
        snapshot = incident.detected.get("snapshot") or {}
        return (
            self.starts_at <= now < self.until
            and not incident.is_test
            and _fits(self.service, incident.service)
            and (self.route == ANY or _fits(self.route, snapshot.get("route") or ""))
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "silence_id": self.id,
            "tenant_id": self.tenant_id,
            "service": self.service,
            "route": self.route,
            "reason": self.reason,
            "by": self.by,
            "starts_at": rfc3339(self.starts_at),
            "until": rfc3339(self.until),
        }


def longest(silences: Iterable[Silence], incident: Incident, now: datetime) -> Silence | None:
    """Of those that cover the incident now, the one that ends last."""
    covering = (silence for silence in silences if silence.covers(incident, now))
    return max(covering, key=lambda silence: (silence.until, silence.id), default=None)


def _fits(pattern: str, text: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())
