"""Who and what AlertEngine deals with: tenants, services, contacts, actors and actions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from alertengine.core.cost import Value
from alertengine.core.given import Given


def rfc3339(at: datetime) -> str:
    """`at` as RFC 3339 in UTC with microseconds and `Z`. Naive times are refused."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """The inverse of `rfc3339`. ValueError for whatever is no time in UTC, such as the year 1 east of it."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces; NaN and infinities are refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


class Role(StrEnum):
    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


class Risk(StrEnum):
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something. `kind`: system, contact (a verified person), operator (at the terminal or with the admin
    key), api_key (a program of the tenant's) or link (whoever held a link that was refused)."""

    kind: str
    id: str
    name: str

    @property
    def human(self) -> bool:
        return self.kind in ("contact", "operator")

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "id": self.id, "name": self.name}


SYSTEM = Actor(kind="system", id="alertengine", name="AlertEngine")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """A recovery as the operator configured it: `params` are those of its kind, without secrets."""

    name: str
    kind: str
    description: str = ""
    risk: Risk = Risk.LOW
    approvals: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "description": self.description,
            "risk": str(self.risk),
            "approvals": self.approvals,
            "params": dict(self.params),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ActionSpec:
        return cls(**{**data, "risk": Risk(data["risk"])})

    def digest(self) -> str:
        """Identifies exactly what would run: any change of the action changes it."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person and the one address they are reached at. Only verified contacts are sent anything."""

    id: str
    tenant_id: str
    name: str
    channel: str
    address: str = ""
    role: Role = Role.APPROVER
    verified_at: datetime | None = None
    language: str | None = None
    """The code of the language they are told in; None for the daemon's."""
    given_by: Given = Given.OPERATOR
    shared: bool = False
    """Several people read there, so that what comes from there proves no person."""

    @property
    def actor(self) -> Actor:
        return Actor(kind="contact", id=self.id, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A monitored application. `sealed_secret` is its SDK secret, encrypted; `actions` name its recoveries:
    None for every configured one. `thresholds` are its own instead of the policy's, by name."""

    id: str
    tenant_id: str
    name: str
    health_url: str
    sealed_secret: str | None = None
    actions: tuple[ActionSpec, ...] | None = None
    value: Mapping[str, Value] = field(default_factory=dict)
    """What a request is worth, by route."""
    given_by: Given = Given.OPERATOR
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def recovery_url(self, name: str | None = None, *, dry_run: bool = False) -> str:
        """Where its SDK takes recoveries: beside its health path."""
        parts = urlsplit(self.health_url)
        path = parts.path.rstrip("/") + "/recovery" + (f"/{name}" if name else "")
        return urlunsplit((parts.scheme, parts.netloc, path, "dry_run=1" if dry_run else "", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: str
    name: str
    plan: str
    status: str
    created_at: datetime
    notification_channel: str
