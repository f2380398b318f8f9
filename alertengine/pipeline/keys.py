"""A tenant's API keys: made, checked, changed without an interruption, revoked."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.model import Actor, rfc3339
from alertengine.errors import Invalid, NotFound, RateLimited
from alertengine.pipeline.engine import Engine
from alertengine.signing import api_key_hash, api_key_id, new_api_key
from alertengine.store import api_keys, system
from alertengine.store.api_keys import ApiKey
from alertengine.store.base import Transaction

VALID_AT_ONCE = 5
USE_NOTED_EVERY = timedelta(seconds=10)
NOBODY = bytes(32)
"""Compared where no such key exists, so that the answer takes as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """`text` is shown once and kept nowhere. The tenant's keys before it are valid until `others_until`."""

    id: str
    text: str
    others_until: datetime | None = None


def issue(tx: Transaction, tenant: str, at: datetime) -> NewKey:
    """Make a key inside a transaction."""
    text = new_api_key()
    key_id = api_key_id(text)
    assert key_id is not None
    api_keys.add(tx, ApiKey(id=key_id, tenant_id=tenant, hash=api_key_hash(text), created_at=at))
    return NewKey(id=key_id, text=text)


async def check(engine: Engine, text: str) -> ApiKey | None:
    """The valid key that this is, or None; its use is noted."""
    key_id = api_key_id(text)
    found = await engine.store.fetch(api_keys.named(key_id)) if key_id else None
    is_it = hmac.compare_digest(found.hash if found else NOBODY, api_key_hash(text))
    now = engine.now()
    if found is None or not is_it or found.state(now) != "valid":
        return None
    noted = engine.memory.unkept_uses.get(found.id) or found.used_at
    if noted is None or not noted <= now < noted + USE_NOTED_EVERY:
        engine.memory.unkept_uses[found.id] = now
    return found


async def rotate(engine: Engine, tenant: str, overlap_s: float, actor: Actor) -> NewKey:
    """A new key. Those before it stay valid for `overlap_s`, so that whoever uses them can change over."""

    def work(tx: Transaction) -> NewKey:
        now = engine.now()
        until = now + timedelta(seconds=overlap_s)
        valid = [k for k in tx.fetch(api_keys.of_tenant(tenant)) if k.state(now) == "valid"]
        if overlap_s and len(valid) >= VALID_AT_ONCE:
            raise RateLimited(
                f"{len(valid)} keys are valid at once already. Revoke one, or rotate without overlap.",
                retry_after_s=60,
            )
        made = issue(tx, tenant, now)
        api_keys.retire_others(tx, tenant, made.id, until)
        data = {"key_id": made.id, "others_valid_until": rfc3339(until)}
        system.note(tx, tenant, NewEvent(type=SystemEventType.API_KEY_ROTATED, data=data, actor=actor), now)
        return NewKey(id=made.id, text=made.text, others_until=until)

    return await engine.store.transact(work)


async def revoke(engine: Engine, tenant: str, key_id: str, actor: Actor) -> None:
    """End a key now. A tenant cannot end its last one by itself: nobody would get in to make another."""

    def work(tx: Transaction) -> None:
        now = engine.now()
        keys = tx.fetch(api_keys.of_tenant(tenant))
        others = [k for k in keys if k.id != key_id and k.state(now) == "valid" and k.expires_at is None]
        if actor.kind == "api_key" and not others:
            raise Invalid("This is the last key that stays valid. Rotate it first, then revoke it.")
        if not api_keys.revoke(tx, tenant, key_id, now):
            raise NotFound(f"There is no key {key_id} to revoke.")
        event = NewEvent(type=SystemEventType.API_KEY_REVOKED, data={"key_id": key_id}, actor=actor)
        system.note(tx, tenant, event, now)

    await engine.store.transact(work)
