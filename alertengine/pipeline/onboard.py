"""Take a service under watch: its tenant, its contacts, its recoveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import methodcaller
from typing import Any
from urllib.parse import urlsplit

from alertengine.core.cost import Value
from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.language import LANGUAGES
from alertengine.core.model import ActionSpec, Contact, Risk, Role, Service, Tenant
from alertengine.core.plans import DEFAULT_PLAN, Feature, require, require_feature
from alertengine.errors import ConfigError, Invalid
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.verify import send_code
from alertengine.signing import api_key_hash, api_key_id, new_api_key, webhook_key
from alertengine.store import directory
from alertengine.store.base import Transaction
from alertengine.store.log import SYSTEM_TREE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    """The API key is shown here and nowhere again: only its hash is kept."""

    tenant: Tenant
    service: Service
    contacts: tuple[Contact, ...]
    api_key: str


async def onboard(engine: Engine, application: Application) -> Onboarded:
    """Raises `Invalid` with what is wrong and what would be right."""
    check_url("health_url", application.health_url)
    if application.plan not in engine.plans:
        raise Invalid(f"plan: {application.plan!r} is not a plan; choose from {', '.join(engine.plans)}")
    tenant = _tenant(engine, application)
    service = _service(engine, tenant, application)
    contacts = _contacts(engine, tenant, application)
    _check_plan(engine, tenant, service, contacts)
    key = new_api_key()
    key_id = api_key_id(key)
    assert key_id is not None

    def work(tx: Transaction) -> None:
        directory.add_tenant(tx, tenant, key_id, api_key_hash(key))
        directory.add_service(tx, service)
        for contact in contacts:
            directory.add_contact(tx, contact)
        _log(tx, engine, tenant, service)

    await engine.store.transact(work)
    for contact in contacts:
        if contact.verified_at is None:
            engine.spawn(send_code(engine, tenant.id, contact.id))
    offers = await engine.source.recoveries(service)
    if offers is not None:
        engine.memory.offered[service.id] = offers
    return Onboarded(tenant=tenant, service=service, contacts=contacts, api_key=key)


async def add_service(engine: Engine, tenant: Tenant, application: Application) -> Service:
    """One more service of a tenant, as far as its plan goes."""
    check_url("health_url", application.health_url)
    service = _service(engine, tenant, application)
    _check_plan(engine, tenant, service, ())

    def work(tx: Transaction) -> None:
        beside = tx.fetch(directory.services(tenant.id))
        if service.name in (other.name for other in beside):
            raise Invalid(f"service_name: this tenant has a service {service.name} already")
        what = f"more than {len(beside)} service{'s' if len(beside) > 1 else ''}"
        require(engine.plans, tenant.plan, what, lambda plan: plan.takes_service(len(beside)))
        directory.add_service(tx, service)
        data = {"tenant_id": tenant.id, "service_id": service.id, "service": service.name}
        event = NewEvent(type=SystemEventType.SERVICE_ADDED, data=data)
        tx.append(SYSTEM_TREE, service.id, [event], 0, engine.now())

    await engine.store.transact(work)
    offers = await engine.source.recoveries(service)
    if offers is not None:
        engine.memory.offered[service.id] = offers
    return service


def _check_plan(engine: Engine, tenant: Tenant, service: Service, contacts: Sequence[Contact]) -> None:
    """Raises `PlanFeatureUnavailable` for a channel or a team approval that the plan does not include."""
    for contact in contacts:
        channel = engine.channel_of(contact)
        kind = channel.kind if channel else contact.channel
        require(engine.plans, tenant.plan, f"the channel {kind}", methodcaller("reaches", kind))
    if any(action.approvals > 1 for action in engine.recoveries(service)):
        require_feature(engine.plans, tenant.plan, Feature.TEAM_APPROVALS)


def check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc or any(c.isspace() for c in url):
        raise Invalid(f"{name}: give a whole URL, e.g. http://127.0.0.1:8000/health/alerts")


def _tenant(engine: Engine, application: Application) -> Tenant:
    return Tenant(
        id=engine.new_id("ten"),
        name=application.service_name,
        plan=application.plan,
        status="active",
        created_at=engine.now(),
        notification_channel=application.notification_channel or next(iter(engine.channels)),
    )


def _service(engine: Engine, tenant: Tenant, application: Application) -> Service:
    name = application.service_name.strip()
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise Invalid("service_name: 1 to 80 printable characters")
    secret = application.service_secret
    if secret:
        check_secret(secret)
    return Service(
        id=engine.new_id("svc"),
        tenant_id=tenant.id,
        name=name,
        health_url=application.health_url,
        sealed_secret=engine.vault.seal(secret) if secret else None,
        actions=_actions(engine, application),
        value=application.value,
    )


def check_secret(secret: str) -> None:
    try:
        webhook_key(secret)
    except ConfigError as error:
        raise Invalid(f"service_secret: {error}") from None


def _actions(engine: Engine, application: Application) -> tuple[ActionSpec, ...] | None:
    specs = [_action(engine, given) for given in application.actions or ()]
    if application.recovery_webhook_url:
        check_url("recovery_webhook_url", application.recovery_webhook_url)
        specs.append(_webhook_action(application.recovery_webhook_url))
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


def _webhook_action(url: str) -> ActionSpec:
    params = {"url": url, "preview_url": None, "timeout_s": 30.0}
    return ActionSpec(
        name="recovery-webhook", kind="http", description="call the recovery webhook", params=params
    )


def _contacts(engine: Engine, tenant: Tenant, application: Application) -> tuple[Contact, ...]:
    wanted = application.contacts or (NewContact(name="operator", channel=tenant.notification_channel),)
    made = tuple(_contact(engine, tenant, new) for new in wanted)
    if len({(c.name, c.channel, c.address) for c in made}) != len(made):
        raise Invalid("contacts: the same contact is listed twice")
    return made


def _contact(engine: Engine, tenant: Tenant, new: NewContact) -> Contact:
    contact = Contact(
        id=engine.new_id("con"),
        tenant_id=tenant.id,
        name=new.name.strip(),
        channel=new.channel,
        address=sealed(engine.vault, new.address, new.secret) if new.secret else new.address,
        role=new.role,
        language=new.language,
    )
    if new.language not in (None, *LANGUAGES):
        raise Invalid(f"contacts: {new.language!r} is not a language; choose from {', '.join(LANGUAGES)}")
    if not 0 < len(contact.name) <= 80 or not contact.name.isprintable():
        raise Invalid("contacts: a name has 1 to 80 printable characters")
    channel = engine.channel_of(contact)
    if channel is None:
        known = ", ".join(engine.channels)
        raise Invalid(f"contacts: no channel {new.channel!r} is configured; configured: {known}")
    complaint = channel.complaint(contact)
    if complaint:
        raise Invalid(f"contacts: {contact.name}: {complaint}")
    # The operator's own terminal and webhooks need no proof that somebody is there.
    return replace(contact, verified_at=engine.now()) if channel.kind in ("console", "webhook") else contact


def _log(tx: Transaction, engine: Engine, tenant: Tenant, service: Service) -> None:
    data = {"tenant_id": tenant.id, "service_id": service.id, "service": service.name, "plan": tenant.plan}
    event = NewEvent(type=SystemEventType.TENANT_ONBOARDED, data=data)
    tx.append(SYSTEM_TREE, tenant.id, [event], 0, engine.now())
