"""A fresh link for the holder of one that is over, after checking that there is still something to decide."""

from __future__ import annotations

from datetime import datetime, timedelta

from alertengine.core import approval, authority
from alertengine.core.approval import Claims
from alertengine.core.events import EventType, NewEvent, Stage
from alertengine.core.incident import Incident
from alertengine.core.message import MessageKind
from alertengine.core.model import Contact
from alertengine.core.said import Said
from alertengine.core.view import reissuable
from alertengine.errors import RateLimited, Refused
from alertengine.pipeline.approve import How, crowd_of, decided, is_void, known, note_refusal, read
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.signing import fingerprint
from alertengine.store import incidents, links
from alertengine.store.base import Transaction

REISSUES = 3
REISSUE_WINDOW_S = 600


async def reissue(engine: Engine, token: str, how: How) -> Incident:
    return await reissue_claims(engine, read(engine, token), how)


async def reissue_claims(engine: Engine, claims: Claims, how: How) -> Incident:
    """Send a fresh link to the contact of an expired one, after checking that there is still something to decide."""

    def work(tx: Transaction) -> Incident:
        incident, contact = known(tx, claims)
        now = tx.now(engine.now())
        over = now >= claims.expires_at or incident.stage is Stage.EXPIRED or is_void(tx, claims)
        over = over or _spent_in_vain(engine, tx, incident, claims, contact)
        if not over:
            raise approval.refusal("refused.valid")
        if not reissuable(incident):
            raise approval.stood(incident)
        _check_reissues(tx, incident, contact, now)
        data = {**how, "contact": contact.id, "token": fingerprint(claims.jti)}
        event = NewEvent(type=EventType.LINK_REISSUED, data=data, actor=contact.actor)
        append(engine, tx, incident, [event], MessageKind.LINK, only=contact)
        return incident

    try:
        return await decided(engine, work)
    except Refused as refusal:
        await note_refusal(engine, claims, refusal, how)
        raise


def _spent_in_vain(
    engine: Engine, tx: Transaction, incident: Incident, claims: Claims, contact: Contact
) -> bool:
    """It was used to approve, nobody else does, and its holder may go on alone."""
    used = tx.fetch(links.used_at(claims.tenant_id, claims.incident_id, claims.jti)) is not None
    return used and authority.may_go_on_alone(incident, contact, crowd_of(tx, incident), engine.rules)


def _check_reissues(tx: Transaction, incident: Incident, contact: Contact, now: datetime) -> None:
    since = now - timedelta(seconds=REISSUE_WINDOW_S)
    recent = [
        e
        for e in tx.fetch(incidents.events(incident.tenant_id, incident.id))
        if e.type is EventType.LINK_REISSUED and e.data["contact"] == contact.id and e.at > since
    ]
    if len(recent) >= REISSUES:
        wait = REISSUE_WINDOW_S / REISSUES
        raise approval.told(Said("refused.sent", {}), RateLimited, retry_after_s=wait)
