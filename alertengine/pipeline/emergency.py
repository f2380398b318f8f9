"""Telling people past the outbox, which needs the store: when the store is what fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from alertengine.core.detection import Trouble
from alertengine.core.message import Message, MessageKind
from alertengine.core.mode import Mode
from alertengine.core.model import Contact, Service
from alertengine.core.said import Said
from alertengine.errors import AlertEngineError
from alertengine.pipeline.engine import Engine
from alertengine.store import directory

log = logging.getLogger(__name__)

TELL_WITHIN_S = 20.0
REPEAT_AFTER_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told past the outbox: of `service`, while AlertEngine itself is in `mode`."""

    kind: MessageKind
    title: Said | Trouble
    lines: tuple[Said | str, ...]
    mode: Mode
    service: str = "AlertEngine"


async def tell_everyone(engine: Engine, notice: Notice) -> None:
    """Every verified contact of every tenant, by every channel, at once."""
    await remember(engine)
    await asyncio.gather(*(_tell(engine, tenant, notice) for tenant in sorted(engine.memory.people)))


async def remember(engine: Engine) -> None:
    """Know who is to be told also when the store cannot be asked any more."""
    try:
        services = await engine.store.fetch(directory.services())
        people = {
            tenant: await engine.store.fetch(directory.contacts(tenant))
            for tenant in {service.tenant_id for service in services}
        }
    except Exception as error:
        log.error("The store cannot be read (%s); the contacts known from before are used.", error)
        return
    engine.memory.people = people


async def unrecorded(engine: Engine, service: Service, trouble: Trouble) -> None:
    """A service is in trouble and no incident can be opened for it: say at least that."""
    if not engine.worth_noting(f"unrecorded {service.id}", freely=1, every_s=REPEAT_AFTER_S):
        return
    why = (engine.store.trouble,) if engine.store.trouble else ()
    notice = Notice(
        kind=MessageKind.ALERT,
        title=trouble,
        lines=(Said("emergency.by_hand"), *why),
        mode=Mode.EMERGENCY,
        service=service.name,
    )
    await remember(engine)
    await _tell(engine, service.tenant_id, notice)


async def _tell(engine: Engine, tenant: str, notice: Notice) -> None:
    """Whoever is known of this tenant, side by side: no channel that breaks or hangs keeps it from others."""
    people = engine.memory.people.get(tenant, [])
    await asyncio.gather(*(_send(engine, contact, notice) for contact in _reachable(people)))


def _reachable(people: Iterable[Contact]) -> list[Contact]:
    """Verified, and each address once."""
    found = {(c.channel, c.address or c.id): c for c in people if c.verified_at is not None}
    return list(found.values())


async def _send(engine: Engine, contact: Contact, notice: Notice) -> None:
    try:
        channel = engine.channel_of(contact)
        if channel is None:
            return
        message = _message(engine, contact, notice)
        async with asyncio.timeout(TELL_WITHIN_S):
            await channel.send(contact, message, engine.new_id("notice"))
    except (AlertEngineError, TimeoutError) as error:
        log.warning("%s could not be told directly: %s", contact.id, error)
    except Exception:  # a channel's own fault is its own
        log.exception("%s could not be told directly: the channel broke", contact.id)


def _message(engine: Engine, contact: Contact, notice: Notice) -> Message:
    words, title, mode = engine.words(contact), notice.title, str(notice.mode)
    said = title.by(words) if isinstance(title, Said) else title.named(notice.service, words)
    who = words("footer.for", name=contact.name)
    return Message(
        kind=notice.kind,
        incident_id="unrecorded",
        tenant_id=contact.tenant_id,
        service=notice.service,
        severity="critical" if notice.kind is MessageKind.ALERT else "info",
        stage=mode,
        title=said,
        body=tuple(line if isinstance(line, str) else line.by(words) for line in notice.lines),
        footer=f"{who} · {mode}",
        url=None,
        at=engine.now(),
        is_test=False,
        facts={"mode": mode},
        words=words,
    )
