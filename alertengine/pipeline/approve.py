"""What a person decides: by the link in their message, or as the operator at the terminal.

Every way comes through `_decide`: one transaction checks, spends the link and appends the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alertengine.core import approval, authority
from alertengine.core.approval import Claims
from alertengine.core.authority import Asker, PinShown
from alertengine.core.events import EventType, NewEvent, Stage
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.message import MessageKind, may_ask
from alertengine.core.model import Actor, Contact, Service, Tenant
from alertengine.core.people import Crowd, may_decide
from alertengine.core.said import Said, recorded
from alertengine.core.view import reissuable
from alertengine.errors import (
    ActionChanged,
    NotAwaitingApproval,
    NotFound,
    Refused,
    StoreUnavailable,
    TenantSuspended,
    TokenInvalid,
    TokenUsed,
)
from alertengine.pipeline.catalogue import today
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.pipeline.proof import NOTHING, Proof, asker, show_pin
from alertengine.pipeline.tenants import ACTIVE
from alertengine.signing import fingerprint
from alertengine.store import directory, incidents, links, tellings
from alertengine.store.base import Transaction

How = Mapping[str, Any]
"""By which channel, from which address and with which browser; recorded with the decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A link that was opened: whose it is, and what it is about."""

    claims: Claims
    contact: Contact
    incident: Incident
    service: Service | None
    used_at: datetime | None
    expired: bool
    crowd: Crowd
    """The people of the tenant; `incident` has the approvals of those who may still decide."""


def read(engine: Engine, token: str) -> Claims:
    """The claims of a genuine token, whatever the time. Raises `TokenInvalid`."""
    return engine.tokens.read(token, engine.policy.approval_timeout_s)


async def open_link(engine: Engine, token: str) -> Opened:
    """What a genuine link is about, though it be used or over. Raises `TokenInvalid`; changes nothing."""
    claims = read(engine, token)
    tenant, incident_id = claims.tenant_id, claims.incident_id
    fetch = engine.store.fetch
    incident = await fetch(incidents.incident(tenant, incident_id))
    contact = await fetch(directory.contact(tenant, claims.contact_id))
    known = await fetch(links.offered(tenant, incident_id, claims.jti))
    if incident is None or contact is None or not known or not may_decide(contact):
        raise TokenInvalid
    _check_active(await fetch(directory.tenant(tenant)))
    people = await fetch(directory.contacts(tenant))
    crowd = Crowd(tuple(people))
    void = await fetch(links.is_void(tenant, incident_id, claims.jti))
    return Opened(
        claims=claims,
        contact=contact,
        incident=counted(incident, crowd),
        service=await fetch(directory.service(tenant, incident.service_id)),
        used_at=None if void else await fetch(links.used_at(tenant, incident_id, claims.jti)),
        expired=void or engine.now() >= claims.expires_at,
        crowd=crowd,
    )


def counted(incident: Incident, crowd: Crowd) -> Incident:
    """With the approvals that count: of each person once, who may still decide."""
    if incident.stage not in DECIDABLE:
        return incident
    return replace(incident, approvals=crowd.counted(incident.approvals))


async def confirm(engine: Engine, token: str, how: How, proof: Proof = NOTHING) -> Incident:
    """Approve by link. Answers the incident as it is then; raises a `Refused` that says why not."""
    return await confirm_claims(engine, read(engine, token), how, proof)


async def confirm_claims(engine: Engine, claims: Claims, how: How, proof: Proof = NOTHING) -> Incident:
    """The same, for a link that is known by other means than its token: a button in a chat."""
    return await _by_link(engine, claims, how, proof, _approval(engine), pin=True)


async def reject(engine: Engine, token: str, how: How, proof: Proof = NOTHING) -> Incident:
    return await reject_claims(engine, read(engine, token), how, proof)


async def reject_claims(engine: Engine, claims: Claims, how: How, proof: Proof = NOTHING) -> Incident:
    return await _by_link(engine, claims, how, proof, _rejection, pin=False)


async def acknowledge(engine: Engine, claims: Claims, how: How) -> Incident:
    """Somebody is on it, and on everything that the same message told of. Uses nothing up."""

    def work(tx: Transaction) -> Incident:
        incident, contact = known(tx, claims)
        told = {**how, "channel": contact.channel, "token": fingerprint(claims.jti)}
        state = _append(engine, tx, incident, approval.acknowledge(incident, contact.actor, told))
        for beside in tx.fetch(tellings.told_with(claims.tenant_id, claims.jti, incident.id)):
            other = tx.fetch(incidents.incident(claims.tenant_id, beside))
            if other is not None and other.stage in DECIDABLE and other.acknowledged_by is None:
                _append(engine, tx, other, approval.acknowledge(other, contact.actor, told))
        return state

    return await decided(engine, work)


async def confirm_as(
    engine: Engine,
    tenant: str,
    incident_id: str,
    actor: Actor,
    how: How,
    digest: str | None = None,
    reason: str | None = None,
) -> Incident:
    """The operator's own approval, from the terminal of the machine, of the action that was shown there.
    `reason`: alone, where several are needed."""
    asker = authority.operator(actor, reason)
    return await _by_operator(engine, tenant, incident_id, asker, how, _approval(engine, digest))


async def reject_as(engine: Engine, tenant: str, incident_id: str, actor: Actor, how: How) -> Incident:
    return await _by_operator(engine, tenant, incident_id, authority.operator(actor), how, _rejection)


Decision = Callable[[Transaction, Incident, Claims | None, Asker, How], NewEvent]


def _approval(engine: Engine, shown: str | None = None) -> Decision:
    """`shown`: the digest of what was looked at, where no link says so."""

    def decide(
        tx: Transaction, incident: Incident, claims: Claims | None, asker: Asker, how: How
    ) -> NewEvent:
        proposed = approval.check_decidable(incident, claims)
        service = tx.fetch(directory.service(incident.tenant_id, incident.service_id))
        approval.check_action(proposed, today(engine, incident, service), claims)
        if shown is not None and shown != proposed.digest():
            raise ActionChanged
        told = {**how, "boot": engine.boot}
        execution = engine.new_id("exe")
        event = authority.decide_for(incident, asker, crowd_of(tx, incident), engine.rules, execution, told)
        claim = (incident.tenant_id, incident.id, incident.round, execution)
        if event.type is EventType.RECOVERY_AUTHORIZED and not links.claim_execution(tx, *claim):
            raise approval.refusal("standing.idle")
        return event

    return decide


def _rejection(
    tx: Transaction, incident: Incident, claims: Claims | None, asker: Asker, how: How
) -> NewEvent:
    if claims is not None and claims.round != incident.round and incident.stage in DECIDABLE:
        raise approval.refusal("refused.earlier")
    return authority.decide_against(incident, asker, how)


async def _by_link(
    engine: Engine, claims: Claims, how: How, proof: Proof, decision: Decision, *, pin: bool
) -> Incident:
    def usable(tx: Transaction) -> tuple[Incident, Contact]:
        incident, contact = known(tx, claims)
        _check_unused(tx, incident, claims)
        approval.check_time(claims, tx.now(engine.now()))
        return incident, contact

    def work(tx: Transaction) -> Incident:
        incident, contact = usable(tx)
        asks = asker(tx, contact, proof, shown)
        told = {**how, "channel": contact.channel, "token": fingerprint(claims.jti)}
        if contact.shared:
            told["signed_in"] = proof.email
        event = decision(tx, incident, claims, asks, told)
        if not links.spend(tx, claims.tenant_id, claims.incident_id, claims.jti, tx.now(engine.now())):
            raise _used(tx, incident, claims)
        state = _append(engine, tx, incident, event)
        _send_next(engine, tx, incident, contact)
        return state

    try:
        # What is too late or used up costs nobody a try of their PIN.
        shown = await show_pin(engine, *await engine.store.transact(usable), proof) if pin else _NO_PIN
        return await decided(engine, work)
    except (Refused, StoreUnavailable) as refusal:
        await note_refusal(engine, claims, refusal, how)
        raise


_NO_PIN = PinShown.MISSING


def _send_next(engine: Engine, tx: Transaction, incident: Incident, contact: Contact) -> None:
    """Who was told of several at once and decided one gets the next one's link."""
    for beside in tx.fetch(tellings.unlinked_beside(incident.tenant_id, incident.id, contact.id)):
        other = tx.fetch(incidents.incident(incident.tenant_id, beside))
        if other is not None and may_ask(MessageKind.LINK, other):
            append(engine, tx, other, [], MessageKind.LINK, only=contact)
            return


async def _by_operator(
    engine: Engine, tenant: str, incident_id: str, asker: Asker, how: How, decision: Decision
) -> Incident:
    def work(tx: Transaction) -> Incident:
        incident = tx.fetch(incidents.incident(tenant, incident_id))
        if incident is None:
            raise NotFound(f"There is no incident {incident_id}.")
        _check_active(tx.fetch(directory.tenant(tenant)))
        return _append(engine, tx, incident, decision(tx, incident, None, asker, how))

    return await decided(engine, work)


def crowd_of(tx: Transaction, incident: Incident) -> Crowd:
    people = tx.fetch(directory.contacts(incident.tenant_id))
    return Crowd(tuple(people))


def known(tx: Transaction, claims: Claims) -> tuple[Incident, Contact]:
    incident = tx.fetch(incidents.incident(claims.tenant_id, claims.incident_id))
    contact = tx.fetch(directory.contact(claims.tenant_id, claims.contact_id))
    known = tx.fetch(links.offered(claims.tenant_id, claims.incident_id, claims.jti))
    if incident is None or contact is None or not known or not may_decide(contact):
        raise TokenInvalid
    _check_active(tx.fetch(directory.tenant(claims.tenant_id)))
    return incident, contact


def _check_active(tenant: Tenant | None) -> None:
    if tenant is None or tenant.status != ACTIVE:
        raise TenantSuspended


def _check_unused(tx: Transaction, incident: Incident, claims: Claims) -> None:
    used = tx.fetch(links.used_at(claims.tenant_id, claims.incident_id, claims.jti))
    if used is not None:
        raise _used(tx, incident, claims)


def _used(tx: Transaction, incident: Incident, claims: Claims) -> Refused:
    """What the first tap did, for whoever taps again."""
    said = Said("refused.TOKEN_USED", {"standing": approval.stands(incident)})
    if is_void(tx, claims) and reissuable(incident):
        said = Said("refused.TOKEN_EXPIRED", {})
    execution = incident.execution.to_json() if incident.execution else None
    return approval.told(said, TokenUsed, stage=str(incident.stage), execution=execution)


def is_void(tx: Transaction, claims: Claims) -> bool:
    return tx.fetch(links.is_void(claims.tenant_id, claims.incident_id, claims.jti))


def _append(engine: Engine, tx: Transaction, incident: Incident, event: NewEvent) -> Incident:
    append(engine, tx, incident, [event], _MESSAGES.get(event.type))
    state = tx.fetch(incidents.incident(incident.tenant_id, incident.id))
    assert state is not None
    return counted(state, crowd_of(tx, state))


async def decided(engine: Engine, work: Callable[[Transaction], Incident]) -> Incident:
    incident = await engine.store.transact(work)
    engine.memory.outbox.set()
    return incident


async def note_preview(engine: Engine, claims: Claims, contact: Contact, how: How) -> None:
    """The one trace that looking leaves. A robot that looks a thousand times leaves a count."""
    count = engine.worth_noting(f"preview {claims.jti}", freely=1)
    if count:
        told = {**how, "channel": contact.channel, "token": fingerprint(claims.jti), "count": count}
        await _note(engine, claims, EventType.RECOVERY_PREVIEWED, told, contact.actor)


async def note_terminal_preview(engine: Engine, incident: Incident, actor: Actor) -> None:
    """The same for the operator, who looks without a link."""
    await _note(engine, incident, EventType.RECOVERY_PREVIEWED, {"channel": "terminal"}, actor)


async def note_refusal(engine: Engine, claims: Claims, refusal: Exception, how: How) -> None:
    count = engine.worth_noting(f"refused {claims.jti}", every_s=600.0)
    if not count or isinstance(refusal, StoreUnavailable):
        return
    told = {**how, "code": getattr(refusal, "code", ""), "token": fingerprint(claims.jti), "count": count}
    actor = Actor(kind="link", id=claims.contact_id, name="the holder of a link")
    await _note(engine, claims, EventType.AUTHORIZATION_REFUSED, told, actor)


async def _note(engine: Engine, about: Claims | Incident, kind: EventType, data: How, actor: Actor) -> None:
    incident_id = about.id if isinstance(about, Incident) else about.incident_id

    def work(tx: Transaction) -> None:
        incident = tx.fetch(incidents.incident(about.tenant_id, incident_id))
        if incident is not None:
            append(engine, tx, incident, [NewEvent(type=kind, data=data, actor=actor)])

    try:
        await engine.store.transact(work)
    except StoreUnavailable:
        pass  # the store tells of its trouble itself


CLOSABLE = DECIDABLE | {Stage.UNKNOWN, Stage.REJECTED, Stage.EXPIRED}


async def close(engine: Engine, tenant: str, incident_id: str, actor: Actor, note: str) -> Incident:
    """A person ends what cannot end by itself, and says what they found."""

    def work(tx: Transaction) -> Incident:
        incident = tx.fetch(incidents.incident(tenant, incident_id))
        if incident is None:
            raise NotFound(f"There is no incident {incident_id}.")
        if incident.stage not in CLOSABLE:
            raise NotAwaitingApproval(
                f"{incident_id} is {incident.stage}; there is nothing to close by hand."
            )
        data = {**recorded(reason=Said("reason.closed")), "note": note[:1000]}
        event = NewEvent(type=EventType.INCIDENT_RESOLVED, data=data, actor=actor)
        append(engine, tx, incident, [event], MessageKind.CLOSED)
        return incident

    return await decided(engine, work)


_MESSAGES: Mapping[str, MessageKind] = {
    EventType.INCIDENT_ACKNOWLEDGED: MessageKind.ACKNOWLEDGED,
    EventType.RECOVERY_AUTHORIZED: MessageKind.AUTHORIZED,
    EventType.RECOVERY_REJECTED: MessageKind.REJECTED,
}
