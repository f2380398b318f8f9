"""Take a service under watch: its tenant, its contacts, its recoveries."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import methodcaller
from typing import Any

from alertengine.core.addresses import url_problem
from alertengine.core.cost import Value
from alertengine.core.diagnosis.harmless import unlinked
from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.given import Given
from alertengine.core.language import LANGUAGES
from alertengine.core.model import ActionSpec, Contact, Risk, Role, Service, Tenant
from alertengine.core.plans import DEFAULT_PLAN, Feature, require, require_feature
from alertengine.errors import ConfigError, Invalid
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.identity import put_mailbox
from alertengine.pipeline.invite import ask
from alertengine.pipeline.keys import NewKey, issue
from alertengine.signing import webhook_key
from alertengine.store import directory, system
from alertengine.store.base import Transaction
from alertengine.tools import sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    name: str
    channel: str
    address: str = ""
    role: Role = Role.APPROVER
    secret: str | None = None
    """Its own bot token or webhook URL, kept sealed."""
    language: str | None = None
    email: str | None = None
    """The mailbox they sign in with; empty takes it away."""
    shared: bool = False
    """Several people read at this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is asked for. `actions`: names of configured recoveries, or recoveries spelt out; None for all."""

    service_name: str
    health_url: str
    plan: str = DEFAULT_PLAN
    notification_channel: str | None = None
    service_secret: str | None = None
    contacts: Sequence[NewContact] = ()
    actions: Sequence[str | Mapping[str, Any]] | None = None
    recovery_webhook_url: str | None = None
    value: Mapping[str, Value] = field(default_factory=dict)
    """What one request is worth, by route."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    given_by: Given = Given.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    """The API key is shown here and nowhere again: only its hash is kept."""

    tenant: Tenant
    service: Service
    contacts: tuple[Contact, ...]
    links: Mapping[str, str]
    """By which a contact, by name, proves their address and agrees to be told."""
    api_key: str


async def onboard(engine: Engine, application: Application) -> Onboarded:
    """Raises `Invalid` with what is wrong and what would be right."""
    if application.plan not in engine.plans:
        raise Invalid(f"plan: {application.plan!r} is not a plan; choose from {', '.join(engine.plans)}")
    tenant = _tenant(engine, application)
    service = new_service(engine, tenant.id, application)
    contacts = _contacts(engine, tenant, application)
    check_plan(engine, tenant, service, contacts)

    def work(tx: Transaction) -> NewKey:
        directory.add_tenant(tx, tenant)
        directory.add_service(tx, service)
        for contact in contacts:
            directory.add_contact(tx, contact)
        for new in application.contacts:
            if new.email:
                put_mailbox(tx, tenant.id, checked_name("contacts: name", new.name), new.email)
        _log(tx, engine, tenant, service)
        return issue(tx, tenant.id, engine.now())

    key = await engine.store.transact(work)
    asked = [contact for contact in contacts if contact.verified_at is None]
    links = {contact.name: (await ask(engine, contact, wait=False)).url for contact in asked}
    await ask_what_it_offers(engine, service)
    return Onboarded(tenant=tenant, service=service, contacts=contacts, links=_known(links), api_key=key.text)


async def ask_what_it_offers(engine: Engine, service: Service) -> None:
    """Which recoveries the app itself has, so that the first incident can propose one."""
    offers = await engine.source.recoveries(service)
    if offers is not None:
        engine.memory.offered[service.id] = offers


def check_plan(
    engine: Engine, tenant: Tenant, service: Service | None, contacts: Sequence[Contact] = ()
) -> None:
    """Raises `PlanFeatureUnavailable` for what the plan does not include: a channel, several approvals, thresholds."""
    for contact in contacts:
        channel = engine.channel_of(contact)
        kind = channel.kind if channel else contact.channel
        require(engine.plans, tenant.plan, f"the channel {kind}", methodcaller("reaches", kind))
    if service is None:
        return
    if any(action.approvals > 1 for action in engine.recoveries(service)):
        require_feature(engine.plans, tenant.plan, Feature.TEAM_APPROVALS)
    if service.thresholds:
        require_feature(engine.plans, tenant.plan, Feature.CUSTOM_THRESHOLDS)


def check_url(engine: Engine, name: str, url: str, given: Given) -> None:
    problem = url_problem(url, given, engine.private)
    if problem:
        raise Invalid(f"{name}: {problem}")


def _tenant(engine: Engine, application: Application) -> Tenant:
    return Tenant(
        id=engine.new_id("ten"),
        name=application.service_name,
        plan=application.plan,
        status="active",
        created_at=engine.now(),
        notification_channel=application.notification_channel or next(iter(engine.channels)),
    )


def new_service(engine: Engine, tenant: str, application: Application) -> Service:
    """Checked, and not in the store yet."""
    given = application.given_by
    check_url(engine, "health_url", application.health_url, given)
    secret = application.service_secret
    if secret:
        check_secret(secret)
    return Service(
        id=engine.new_id("svc"),
        tenant_id=tenant,
        name=service_name(application.service_name, application.given_by),
        health_url=application.health_url,
        sealed_secret=engine.vault.seal(secret) if secret else None,
        actions=_actions(engine, application),
        value=application.value,
        given_by=given,
        thresholds=dict(application.thresholds),
    )


def _known(links: Mapping[str, str | None]) -> dict[str, str]:
    return {name: url for name, url in links.items() if url is not None}


def checked_name(field: str, given: str) -> str:
    """In one spelling (NFC): two names that look the same are the same."""
    name = unicodedata.normalize("NFC", given.strip())
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise Invalid(f"{field}: 1 to 80 printable characters")
    return name


def service_name(given: str, by: Given) -> str:
    """It stands in every message: a tenant's own cannot be anything that a chat makes a link of."""
    name = checked_name("service_name", given)
    if by is not Given.OPERATOR and unlinked(name) != name:
        raise Invalid("service_name: a name, and nothing that reads as a link")
    return name


def check_secret(secret: str) -> None:
    try:
        webhook_key(secret)
    except ConfigError as error:
        raise Invalid(f"service_secret: {error}") from None


def _actions(engine: Engine, application: Application) -> tuple[ActionSpec, ...] | None:
    specs = [_action(engine, given) for given in application.actions or ()]
    if application.recovery_webhook_url:
        given = application.given_by
        check_url(engine, "recovery_webhook_url", application.recovery_webhook_url, given)
        specs.append(_webhook_action(application.recovery_webhook_url, given))
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise Invalid("actions: each needs a name of its own")
    return tuple(specs) if specs or application.actions is not None else None


def _action(engine: Engine, given: str | Mapping[str, Any]) -> ActionSpec:
    name = given if isinstance(given, str) else str(given.get("name", ""))
    if isinstance(given, str) or given.keys() == {"name"}:
        if name in engine.catalogue:
            return engine.catalogue[name]
        known = ", ".join(engine.catalogue) or "none"
        raise Invalid(f"actions: {name!r} is not configured under [actions.NAME]; configured: {known}")
    if given.get("kind") != "app":
        raise Invalid(
            "actions: commands and URLs are configured by the operator under [actions.NAME]; name them here"
        )
    return ActionSpec(
        name=name,
        kind="app",
        description=str(given.get("description", ""))[:200],
        risk=Risk(given.get("risk", "low")),
        params={"name": name},
    )


def _webhook_action(url: str, given: Given) -> ActionSpec:
    params = {"url": url, "preview_url": None, "timeout_s": 30.0, "given_by": str(given)}
    return ActionSpec(
        name="recovery-webhook", kind="http", description="call the recovery webhook", params=params
    )


def _contacts(engine: Engine, tenant: Tenant, application: Application) -> tuple[Contact, ...]:
    wanted = application.contacts or (NewContact(name="operator", channel=tenant.notification_channel),)
    made = tuple(new_contact(engine, tenant.id, new, application.given_by) for new in wanted)
    if len({(c.name, c.channel, c.address) for c in made}) != len(made):
        raise Invalid("contacts: the same contact is listed twice")
    return made


def new_contact(engine: Engine, tenant: str, new: NewContact, given: Given) -> Contact:
    """Checked, and not in the store yet."""
    url = new.secret if new.channel == "slack" else new.address
    if url and url.startswith(("http:", "https:")):
        check_url(engine, "contacts: address", url, given)
    contact = Contact(
        id=engine.new_id("con"),
        tenant_id=tenant,
        name=checked_name("contacts: name", new.name),
        channel=new.channel,
        address=sealed(engine.vault, new.address, new.secret) if new.secret else new.address,
        role=new.role,
        language=new.language,
        given_by=given,
        shared=new.shared,
    )
    if new.language not in (None, *LANGUAGES):
        raise Invalid(f"contacts: {new.language!r} is not a language; choose from {', '.join(LANGUAGES)}")
    channel = engine.channel_of(contact)
    if channel is None:
        known = ", ".join(engine.channels)
        raise Invalid(f"contacts: no channel {new.channel!r} is configured; configured: {known}")
    complaint = channel.complaint(contact)
    if complaint:
        raise Invalid(f"contacts: {contact.name}: {complaint}")
    if channel.traits.informs:
        return _informed(engine, contact)
    # The operator's own terminal and webhooks need no proof that somebody is there.
    known_to_be_there = given is Given.OPERATOR and channel.kind in ("console", "webhook")
    return replace(contact, verified_at=engine.now()) if known_to_be_there else contact


def _informed(engine: Engine, contact: Contact) -> Contact:
    """Where copies go nobody decides, and there is nobody to prove anything."""
    if contact.given_by is Given.TENANT:
        raise Invalid("contacts: where copies go is named by the operator alone")
    return replace(contact, role=Role.VIEWER, verified_at=engine.now())


def _log(tx: Transaction, engine: Engine, tenant: Tenant, service: Service) -> None:
    data = {"tenant_id": tenant.id, "service_id": service.id, "service": service.name, "plan": tenant.plan}
    event = NewEvent(type=SystemEventType.TENANT_ONBOARDED, data=data)
    system.note(tx, tenant.id, event, engine.now())
