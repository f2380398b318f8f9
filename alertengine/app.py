"""The composition root: settings in, a wired engine out, torn down in reverse."""

from __future__ import annotations

import hmac
import json
import random
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from alertengine import config, registry
from alertengine.clock import SteadyClock, SystemClock
from alertengine.config import Settings
from alertengine.core.addresses import Network
from alertengine.core.model import ActionSpec
from alertengine.datadir import DataDir
from alertengine.errors import StoreUnavailable
from alertengine.http import Http
from alertengine.ledger.keys import open_signer
from alertengine.ledger.note import CheckpointSigner
from alertengine.oidc import Client, OpenId
from alertengine.passes import PassSigner
from alertengine.pipeline.engine import Engine
from alertengine.ports import Action, Channel, Clock, Model
from alertengine.signing import TokenSigner, Vault, tenant_secrets
from alertengine.store import life
from alertengine.store.base import Store
from alertengine.store.files import held
from alertengine.tools import Tools

_COMMON = {"kind", "description", "risk", "approvals", "secret"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The daemon's own secrets: from the settings, else generated in the data directory."""

    secret: str
    admin_key: str
    previous: tuple[str, ...] = ()
    """Secrets before this one, whose links and seals are still read."""


def load_settings(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Settings:
    """`config.load` with the kinds that the registry knows."""
    tables = {"channels": registry.CHANNELS, "actions": registry.ACTIONS, "diagnosis": registry.DIAGNOSERS}
    kinds = {what: _model_of(table) for what, table in tables.items()}
    known = {what: sorted(table) for what, table in tables.items()} | {"brought": [*registry.BRING_YOUR_OWN]}
    return config.load(path, environ, overrides, kinds, known)


def _model_of(table: Mapping[str, str]) -> Any:
    def model(kind: str) -> type[BaseModel] | None:
        return registry.config_model(table, kind) if kind in table else None

    return model


def keys(settings: Settings, data: DataDir) -> Keys:
    auth = settings.auth
    return Keys(
        secret=_reveal(auth.secret) or data.generated("secret"),
        admin_key=_reveal(auth.admin_key) or data.generated("admin_key"),
        previous=tuple(one.get_secret_value() for one in auth.previous_secrets),
    )


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def signer(settings: Settings) -> CheckpointSigner:
    """The ledger's signing key and name, made the first time and kept from then on."""
    host = urlsplit(settings.base_url).netloc or "localhost"
    return open_signer(DataDir(settings.data_dir).ledger_key, host)


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


@contextmanager
def _held(settings: Settings) -> Iterator[None]:
    """Both the folder and the store, which may lie elsewhere, for this process alone."""
    with DataDir(settings.data_dir).held(), held(settings.store_path):
        yield


@asynccontextmanager
async def open_engine(
    settings: Settings, *, clock: Clock | None = None, http: Http | None = None
) -> AsyncIterator[Engine]:
    """A working engine on the data directory, held for this process; nothing runs by itself yet."""
    data = DataDir(settings.data_dir)
    data.prepare()
    async with AsyncExitStack() as stack:
        stack.enter_context(_held(settings))
        own = keys(settings, data)
        secret = own.secret
        private = networks(settings.server.allow_private)
        client = http or Http(private=private)
        stack.push_async_callback(client.close)
        signs = signer(settings)
        store = await registry.load(registry.STORES, "sqlite").open(
            settings.store_path, signs, signs.key.name, settings.mark_path
        )
        stack.push_async_callback(store.close)
        clock = await _steady(store, clock or SystemClock())
        tools = _tools(settings, client, clock, secret, own.previous)
        model = _model(settings, tools)
        if model is not None:
            stack.push_async_callback(model.close)
        yield Engine(
            clock=clock,
            http=client,
            store=store,
            source=registry.load(registry.SOURCES, "health")(tools, settings.poll.timeout_s),
            diagnoser=registry.load(registry.DIAGNOSERS, "rules")(),
            model=model,
            terms=settings.diagnosis.terms(),
            channels=_channels(settings, tools),
            actions=_actions(settings, tools),
            catalogue=catalogue(settings, own),
            policy=settings.policy.policy(),
            plans=settings.offered(),
            prices=settings.prices,
            private=private,
            tokens=TokenSigner(secret, settings.base_url, own.previous),
            rules=settings.approval.rules(),
            identities=_identities(settings, client, clock, secret),
            session_s=settings.oidc.session_s,
            passes=PassSigner(secret, settings.base_url, own.previous),
            vault=tools.vault,
            tenant_secrets=tools.tenant_secrets,
            base_url=settings.base_url,
            language=settings.server.language,
            values=settings.values(),
            boot=new_id("boot"),
            new_id=new_id,
            jitter=random.random,
        )


def _identities(settings: Settings, http: Http, clock: Clock, secret: str) -> OpenId | None:
    oidc = settings.oidc
    if oidc.issuer is None or oidc.client_id is None:
        return None
    client = Client(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=_reveal(oidc.client_secret),
        scope=oidc.scope,
        email_claim=oidc.email_claim,
        tenant_claim=oidc.tenant_claim,
    )
    return OpenId(client, http, clock, secret)


@asynccontextmanager
async def model_alone(settings: Settings) -> AsyncIterator[Model | None]:
    """The configured model without a daemon, to grade it; None where none is configured."""
    client = Http()
    tools = Tools(
        http=client,
        clock=SystemClock(),
        vault=Vault(new_id("once")),
        new_id=new_id,
        tenant_secrets=lambda _purpose, _tenant: (),
    )
    model = _model(settings, tools)
    try:
        if model is not None:
            await model.prepare()
        yield model
    finally:
        if model is not None:
            await model.close()
        await client.close()


def _tools(settings: Settings, client: Http, clock: Clock, secret: str, previous: Sequence[str]) -> Tools:
    return Tools(
        http=client,
        clock=clock,
        vault=Vault(secret, previous),
        new_id=new_id,
        tenant_secrets=lambda purpose, tenant: tenant_secrets(purpose, tenant, secret, *previous),
        public_url=settings.server.base_url,
    )


async def _steady(store: Store, machine: Clock) -> SteadyClock:
    """Never before what is on record."""
    return SteadyClock(machine, await _newest(store) or machine.wall())


async def _newest(store: Store) -> datetime | None:
    """The newest time on record; a store that cannot be read tells of that itself."""
    with suppress(StoreUnavailable):
        return await store.fetch(life.newest())
    return None


def new_id(prefix: str) -> str:
    """An unguessable id: 80 random bits, in characters that survive every channel."""
    return f"{prefix}_{secrets.token_hex(10)}"


def _model(settings: Settings, tools: Tools) -> Model | None:
    """Whoever is asked beside the rules."""
    section = settings.diagnosis
    if section.provider == "rules":
        return None
    model: Model = registry.load(registry.DIAGNOSERS, section.provider)(section, tools)
    return model


def _channels(settings: Settings, tools: Tools) -> dict[str, Channel]:
    built: dict[str, Channel] = {
        name: registry.load(registry.CHANNELS, section.kind)(name, section, tools)
        for name, section in settings.channels.items()
    }
    for kind in registry.BRING_YOUR_OWN:
        if kind not in built and not any(c.kind == kind for c in built.values()):
            built[kind] = registry.load(registry.CHANNELS, kind)(kind, None, tools)
    return built


def _actions(settings: Settings, tools: Tools) -> dict[str, Action]:
    built: dict[str, Action] = {}
    for kind in registry.ACTIONS:
        configured = {name: section for name, section in settings.actions.items() if section.kind == kind}
        built[kind] = registry.load(registry.ACTIONS, kind)(configured, tools)
    return built


def catalogue(settings: Settings, own: Keys) -> dict[str, ActionSpec]:
    """The configured recoveries. A secret takes part as a mark alone: changing it changes the digest.

    Marks are made with the oldest of the daemon's secrets that are still read, so that what was proposed before a
    change of the secret is still the same after it.
    """
    key = hmac.digest((own.secret, *own.previous)[-1].encode(), b"marks of secrets", "sha256")
    return {name: _spec(name, section, key) for name, section in settings.actions.items()}


def _mark(key: bytes, text: str) -> str:
    """Tells whether two secrets are the same, and lets nobody without the key try which they are."""
    return hmac.digest(key, text.encode(), "sha256").hex()[:16]


def _spec(name: str, section: Any, key: bytes) -> ActionSpec:
    params = section.model_dump(mode="json", exclude=_COMMON)
    if getattr(section, "secret", None) is not None:
        secret = section.secret.get_secret_value()
        params["secret_mark"] = _mark(key, f"secret\n{secret}")
    if params.get("env"):
        values = json.dumps(params["env"], sort_keys=True)
        params["env_mark"] = _mark(key, f"env\n{values}")
        params["env"] = sorted(params["env"])
    return ActionSpec(
        name=name,
        kind=section.kind,
        description=section.description,
        risk=section.risk,
        approvals=section.approvals,
        params=params,
    )
