"""What comes of an incident, shown in the message by which a person was asked, where the channel can amend it.

The message stays one: who took it on, who authorized what, how it went. A courtesy beside the record: what has to
arrive is delivered by the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import cast

from alertengine.core.account import tell
from alertengine.core.approval import Claims
from alertengine.core.events import Event, EventType
from alertengine.core.incident import Incident
from alertengine.core.language import Words
from alertengine.core.letter import Letter, compose
from alertengine.core.message import Message, MessageKind, may_ask
from alertengine.core.model import Contact
from alertengine.core.trouble import began, title
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline import gates
from alertengine.pipeline.audience import authorized_alone
from alertengine.pipeline.claims import claims_of
from alertengine.pipeline.engine import Engine
from alertengine.ports import Amending, Channel
from alertengine.store import directory, incidents, links, tellings

log = logging.getLogger(__name__)

QUIET = frozenset({MessageKind.ACKNOWLEDGED, MessageKind.AUTHORIZED})
"""Kinds that need no message of their own where the first one can say it."""
SHOWN = frozenset(
    {
        EventType.INCIDENT_ACKNOWLEDGED,
        EventType.INCIDENT_ESCALATED,
        EventType.RECOVERY_APPROVED,
        EventType.RECOVERY_AUTHORIZED,
        EventType.RECOVERY_REJECTED,
        EventType.RECOVERY_SUCCEEDED,
        EventType.RECOVERY_FAILED,
        EventType.RECOVERY_OUTCOME_UNKNOWN,
        EventType.HEALTH_NOT_RECOVERED,
        EventType.HEALTH_VERIFIED,
        EventType.INCIDENT_EXPIRED,
    }
)
STEPS_SHOWN = 8
AMEND_DEADLINE_S = 15.0
"""For all messages of one person together: with the sending itself it stays within the lease."""
LINKS = 20


def is_quiet(kind: MessageKind, incident: Incident) -> bool:
    """It needs no message of its own. Who broke the glass is told of aloud."""
    return kind in QUIET and not authorized_alone(kind, incident)


async def show(engine: Engine, channel: Channel, contact: Contact, incident: Incident, news: Message) -> int:
    """Amend what `contact` was asked by with `news`. Answers how many messages show it now."""
    asked = tellings.asked(incident.tenant_id, incident.id, contact.id)
    if not await engine.store.fetch(asked):
        return 0
    message = await _told(engine, contact, incident, news)
    amended = 0
    # Read anew, for the message has a link in it by now: where the contact left an address since, none is shown it.
    end = asyncio.get_running_loop().time() + AMEND_DEADLINE_S
    for message_id in await engine.store.fetch(asked):
        if asyncio.get_running_loop().time() >= end:
            break
        amended += await _amend(engine, channel, contact, message_id, message, end)
    return amended


async def _amend(
    engine: Engine, channel: Channel, contact: Contact, message_id: str, message: Message, end: float
) -> bool:
    try:
        with gates.watched(engine, channel, contact):
            try:
                async with asyncio.timeout_at(end):
                    await cast(Amending, channel).amend(message_id, message)
            except TimeoutError:
                raise DeliveryError("no answer in time", fault=Fault.UNKNOWN) from None
    except DeliveryError as error:
        log.info("%s could not be amended: %s", message_id, error)
        return False
    return True


async def refresh(
    engine: Engine, tenant: str, incident_id: str, kind: MessageKind = MessageKind.AUTHORIZED
) -> None:
    """Show in everybody's message how things stand, where nobody is sent one about it."""
    incident = await engine.store.fetch(incidents.incident(tenant, incident_id))
    if incident is None or (kind is MessageKind.AUTHORIZED and incident.execution is None):
        return
    for contact in await engine.store.fetch(directory.contacts(tenant)):
        channel = engine.channel_of(contact)
        if channel is None or not channel.traits.amends:
            continue
        letter = Letter(
            recipient=contact.name, now=engine.now(), queued_at=engine.now(), words=engine.words(contact)
        )
        news = compose(kind, incident, letter)
        await show(engine, channel, contact, incident, news)


async def thread_of(engine: Engine, contact: Contact, incident: Incident) -> str | None:
    """The message by which this person was first asked: what follows is told under it."""
    asked = await engine.store.fetch(tellings.asked(incident.tenant_id, incident.id, contact.id))
    return asked[-1] if asked else None


async def _told(engine: Engine, contact: Contact, incident: Incident, news: Message) -> Message:
    """While a decision is asked for, the question with its buttons; after it, the news, then what it was about."""
    words = news.words
    events = await engine.store.fetch(incidents.events(incident.tenant_id, incident.id))
    steps = _steps(events, words)
    if may_ask(MessageKind.ALERT, incident):
        question = await _question(engine, contact, incident, news)
        return replace(question, body=(*question.body, *steps))
    earlier = words("message.earlier", title=title(incident, words))
    about = () if earlier in news.body else (earlier,)
    return replace(news, body=(*news.body, *about, *steps))


def _steps(events: list[Event], words: Words) -> tuple[str, ...]:
    shown = [event for event in events if event.type in SHOWN][-STEPS_SHOWN:]
    return tuple(f"{event.at:%H:%M:%S} {tell(event, words)}" for event in shown)


async def _question(engine: Engine, contact: Contact, incident: Incident, news: Message) -> Message:
    """The alert once more, with the link that its buttons had."""
    link = await _link(engine, contact, incident)
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    letter = Letter(
        recipient=contact.name,
        now=news.at,
        queued_at=news.at,
        words=news.words,
        cost=engine.cost(service, began(incident)),
        url=f"{engine.base_url}/action/recover?token={engine.tokens.sign(link)}" if link else None,
        reference=link.jti if link else None,
        code=engine.tokens.short_code(link.jti) if link else None,
        valid_until=link.expires_at if link else None,
    )
    return compose(MessageKind.ALERT, incident, letter)


async def _link(engine: Engine, contact: Contact, incident: Incident) -> Claims | None:
    if incident.action is None:
        return None
    for link in await engine.store.fetch(links.newest_of(contact.id, LINKS)):
        if (link.incident_id, link.round) == (incident.id, incident.round):
            return claims_of(engine, link, contact.id, incident)
    return None
