"""What a link that was sent says, known by other means than its token."""

from __future__ import annotations

from datetime import timedelta

from alertengine.core.approval import Claims
from alertengine.core.incident import Incident
from alertengine.pipeline.engine import Engine
from alertengine.store.links import Link


def claims_of(engine: Engine, link: Link, contact_id: str, incident: Incident) -> Claims:
    """What the token in the same message says, for today's proposal: what was seen is checked apart."""
    action = incident.action
    return Claims(
        issuer=engine.tokens.issuer,
        contact_id=contact_id,
        tenant_id=link.tenant_id,
        incident_id=link.incident_id,
        round=link.round,
        action=action.name if action else "",
        digest=action.digest() if action else "",
        jti=link.jti,
        issued_at=link.expires_at - timedelta(seconds=engine.policy.approval_timeout_s),
        expires_at=link.expires_at,
    )
