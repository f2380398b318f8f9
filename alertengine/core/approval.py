"""Who may decide what, and by which link. Pure: claims, incident and time in, events or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alertengine.core.events import EventType, NewEvent, Stage
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.language import ENGLISH, Words
from alertengine.core.model import ActionSpec, Actor
from alertengine.core.said import Said
from alertengine.errors import ActionChanged, NotAwaitingApproval, Refused, TokenExpired, TokenInvalid

AUDIENCE = "alertengine:recover"
CLOCK_SKEW_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a recovery token says. `digest` identifies the exact action its message proposed."""

    issuer: str
    contact_id: str
    tenant_id: str
    incident_id: str
    round: int
    action: str
    digest: str
    jti: str
    issued_at: datetime
    expires_at: datetime

    def to_json(self) -> dict[str, Any]:
        issued = int(self.issued_at.timestamp())
        return {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": self.contact_id,
            "tid": self.tenant_id,
            "inc": self.incident_id,
            "rnd": self.round,
            "act": self.action,
            "adg": self.digest,
            "jti": self.jti,
            "iat": issued,
            "nbf": issued,
            "exp": int(self.expires_at.timestamp()),
        }


_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("iss", "aud", "sub", "tid", "inc", "act", "adg", "jti"), str),
    **dict.fromkeys(("rnd", "iat", "nbf", "exp"), int),
}


def read_claims(payload: Mapping[str, Any], issuer: str, max_life_s: float) -> Claims:
    """The claims of a token whose signature is good. Exactly ours, exactly typed, or `TokenInvalid`."""
    if payload.keys() != _TYPES.keys():
        raise TokenInvalid
    if any(type(payload[name]) is not kind for name, kind in _TYPES.items()):
        raise TokenInvalid
    if payload["iss"] != issuer or payload["aud"] != AUDIENCE or not payload["jti"]:
        raise TokenInvalid
    life = payload["exp"] - payload["iat"]
    if payload["nbf"] != payload["iat"] or not 0 < life <= max_life_s + 1:
        raise TokenInvalid
    try:
        issued, expires = (datetime.fromtimestamp(payload[k], UTC) for k in ("iat", "exp"))
    except (ValueError, OverflowError, OSError):
        raise TokenInvalid from None
    return Claims(
        issuer=payload["iss"],
        contact_id=payload["sub"],
        tenant_id=payload["tid"],
        incident_id=payload["inc"],
        round=payload["rnd"],
        action=payload["act"],
        digest=payload["adg"],
        jti=payload["jti"],
        issued_at=issued,
        expires_at=expires,
    )


def check_time(claims: Claims, now: datetime) -> None:
    """Refuse a token that is over or not yet valid at `now`."""
    if (claims.issued_at - now).total_seconds() > CLOCK_SKEW_S:
        raise TokenInvalid
    if now >= claims.expires_at:
        raise TokenExpired


def check_decidable(incident: Incident, claims: Claims | None = None) -> ActionSpec:
    """The action that may be decided on now, or a refusal that says why not."""
    if incident.stage not in DECIDABLE:
        raise stood(incident)
    if incident.action is None:
        raise refusal("refused.nothing")
    if claims is not None and claims.round != incident.round:
        if claims.digest != incident.action.digest():
            raise ActionChanged
        raise refusal("refused.earlier")
    return incident.action


def check_action(proposed: ActionSpec, current: ActionSpec | None, claims: Claims | None = None) -> None:
    """What was shown is what would run: the proposal, the link and today's configuration agree."""
    digest = proposed.digest()
    if current is None or current.digest() != digest:
        raise ActionChanged
    if claims is not None and claims.digest != digest:
        raise ActionChanged


def acknowledge(incident: Incident, actor: Actor, how: Mapping[str, Any]) -> NewEvent:
    if incident.stage not in DECIDABLE:
        raise stood(incident)
    if incident.acknowledged_by is not None:
        raise refusal("refused.acknowledged", who=incident.acknowledged_by.name)
    data = {"round": incident.round, **how}
    return NewEvent(type=EventType.INCIDENT_ACKNOWLEDGED, actor=actor, data=data)


def reject(incident: Incident, actor: Actor, how: Mapping[str, Any]) -> NewEvent:
    if incident.stage not in DECIDABLE:
        raise stood(incident)
    return NewEvent(type=EventType.RECOVERY_REJECTED, actor=actor, data={"round": incident.round, **how})


def refusal(key: str, kind: type[Refused] = NotAwaitingApproval, **values: object) -> Refused:
    """The refusal that says this sentence."""
    return told(Said(key, values), kind)


def told(said: Said, kind: type[Refused], **details: object) -> Refused:
    return kind(said.english, said=said, **details)


def stood(incident: Incident) -> Refused:
    """The refusal that says where the incident stands."""
    return told(stands(incident), NotAwaitingApproval, stage=str(incident.stage))


def standing(incident: Incident, words: Words = ENGLISH) -> str:
    """One sentence on where the incident stands, for somebody who comes too late."""
    return stands(incident).by(words)


def stands(incident: Incident) -> Said:
    execution = incident.execution
    if incident.stage == Stage.EXPIRED:
        return Said("standing.expired")
    if incident.rejected_by is not None and incident.stage != Stage.RESOLVED:
        return Said("standing.rejected", {"who": incident.rejected_by.name})
    if execution is not None and execution.status != "failed":
        status = Said(f"status.{execution.status}")
        who = execution.authorized_by.name
        return Said("standing.authorized", {"who": who, "action": execution.action, "status": status})
    return Said("standing.over" if incident.stage == Stage.RESOLVED else "standing.idle")
