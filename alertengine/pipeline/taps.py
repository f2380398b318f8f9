"""Decisions made in a chat: seen first, then confirmed, by somebody who is known.

A provider's word says where an answer came from; whether that address may decide is looked up here.
"""

from __future__ import annotations

import logging

from alertengine.core.approval import Claims, standing
from alertengine.core.diagnosis.harmless import unlinked
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.language import Words
from alertengine.core.language import words as language
from alertengine.core.model import ActionSpec, Contact
from alertengine.core.people import may_decide
from alertengine.core.said import retold
from alertengine.core.taps import Command, Verb, button, parse
from alertengine.core.trouble import title
from alertengine.errors import DeliveryError, NotAnApprover, Refused, StoreUnavailable, TokenExpired
from alertengine.pipeline import approve, reissue
from alertengine.pipeline.advance import advance
from alertengine.pipeline.claims import claims_of
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.invite import opened
from alertengine.pipeline.preview import preview
from alertengine.ports import Answering, Chatting, Reply, Tap
from alertengine.store import directory, incidents, links, receipts
from alertengine.store.links import Link

log = logging.getLogger(__name__)

SHOWN_LIMIT = 1000
LINKS = 20
"""How far back a typed code reaches."""


def chatting(engine: Engine) -> list[Chatting]:
    return [c for c in engine.channels.values() if c.traits.chats]  # type: ignore[misc]


async def hear(engine: Engine, channel: Answering, tap: Tap) -> None:
    """Do what was asked in a chat and answer there. What is not meant for us is passed over in silence."""
    welcome = await opened(engine, channel, tap)
    if welcome is not None:
        await _answer(channel, tap, welcome)
        return
    command = parse(tap.text)
    if command is None:
        return
    ways = (channel.name, channel.kind, "whatsapp")
    at_address = await engine.store.fetch(directory.verified_at(tap.sender, ways))
    people = [c for c in at_address if getattr(engine.channel_of(c), "name", None) == channel.name]
    words = engine.words(people[0]) if people else language(engine.language)
    try:
        reply = await _reply(engine, channel, tap, command, people)
    except (Refused, StoreUnavailable) as refusal:
        reply = Reply(lines=(retold(refusal, words),), buttons=_way_out(refusal, command, words))
    if reply is not None:
        await _answer(channel, tap, reply)


async def _answer(channel: Answering, tap: Tap, reply: Reply) -> None:
    if not reply.lines:
        return
    try:
        await channel.answer(tap, reply)
    except DeliveryError as error:
        log.warning("An answer in %s could not be given: %s", channel.name, error)


async def _reply(
    engine: Engine, channel: Answering, tap: Tap, command: Command, people: list[Contact]
) -> Reply | None:
    link = await _link(engine, channel, people, command, tap)
    if link is None:
        return Reply(lines=(engine.words(people[0])("chat.gone"),)) if people else None
    incident = await engine.store.fetch(incidents.incident(link.tenant_id, link.incident_id))
    if incident is None:
        return None
    how = {"by": "chat", "chat": tap.chat, "sender": tap.sender}
    person = next((p for p in people if p.tenant_id == link.tenant_id and may_decide(p)), None)
    if person is None:
        stranger = claims_of(engine, link, f"{channel.kind}:{tap.sender}", incident)
        await approve.note_refusal(engine, stranger, NotAnApprover(), how)
        raise NotAnApprover
    return await _do(engine, command, link, person, incident, how)


async def _link(
    engine: Engine, channel: Answering, people: list[Contact], command: Command, tap: Tap
) -> Link | None:
    if command.reference is not None:
        return await engine.store.fetch(links.named(command.reference))
    if command.code is None:
        answered = await engine.store.fetch(receipts.of_message(channel.kind, tap.message_id or ""))
        return await engine.store.fetch(links.named(answered[0].jti)) if answered else None
    for person in people:
        for link in await engine.store.fetch(links.newest_of(person.id, LINKS)):
            if engine.tokens.is_short_code(link.jti, command.code):
                return link
    return None


async def _do(
    engine: Engine, command: Command, link: Link, person: Contact, incident: Incident, how: approve.How
) -> Reply:
    claims, words = claims_of(engine, link, person.id, incident), engine.words(person)
    if command.verb is Verb.ACKNOWLEDGE:
        await approve.acknowledge(engine, claims, how)
        return Reply(lines=(words("chat.acknowledged"),), buttons=_see(link, words))
    if command.verb is Verb.REJECT:
        await approve.reject_claims(engine, claims, how)
        return Reply(lines=(words("chat.rejected"),))
    if command.verb is Verb.NEW_LINK:
        await reissue.reissue_claims(engine, claims, how)
        return Reply(lines=(words("chat.new"),))
    if incident.action is None or incident.stage not in DECIDABLE:
        return Reply(lines=(standing(incident, words),))
    if command.verb is Verb.RUN and _was_seen(engine, command, link, incident.action):
        return await _run(engine, claims, words, how)
    return await _show(engine, claims, person, incident, incident.action, how)


async def _run(engine: Engine, claims: Claims, words: Words, how: approve.How) -> Reply:
    decided = await approve.confirm_claims(engine, claims, how)
    engine.spawn(advance(engine, decided.tenant_id, decided.id))
    if decided.execution is None or decided.stage in DECIDABLE:
        given, needed = len(decided.approvals), decided.approvals_needed
        return Reply(lines=(words("chat.approved", given=given, required=needed),))
    return Reply(lines=(words("chat.authorized", action=unlinked(decided.execution.action)),))


async def _show(
    engine: Engine, claims: Claims, person: Contact, incident: Incident, action: ActionSpec, how: approve.How
) -> Reply:
    """The first step: exactly what would run. Only after it can it be confirmed."""
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    shown = await preview(engine, incident, service)
    assert shown is not None
    await approve.note_preview(engine, claims, person, how)
    engine.memory.shown[claims.jti] = claims.digest
    while len(engine.memory.shown) > SHOWN_LIMIT:
        engine.memory.shown.pop(next(iter(engine.memory.shown)))
    words = engine.words(person)
    would = words("chat.would", action=unlinked(action.name), would=shown.would_run)
    says = () if shown.text is None else (words("chat.says", text=shown.text),)
    typed = words("chat.yes", code=engine.tokens.short_code(claims.jti))
    run = button(Verb.RUN, claims.jti, _proof(engine, claims.jti, claims.digest))
    return Reply(
        lines=(title(incident, words), would, *says),
        typed=typed,
        buttons=(
            (words("button.run", action=unlinked(action.name)), run),
            (words("button.no"), button(Verb.REJECT, claims.jti)),
        ),
    )


def _was_seen(engine: Engine, command: Command, link: Link, action: ActionSpec) -> bool:
    """Exactly what would run now was shown before: by the button's own proof, or to this link a moment ago."""
    digest = action.digest()
    if command.proof is not None:
        return command.proof == _proof(engine, link.jti, digest)
    return engine.memory.shown.get(link.jti) == digest


def _proof(engine: Engine, jti: str, digest: str) -> str:
    return engine.tokens.form_token(f"{jti} {digest}")[:12]


def _see(link: Link, words: Words) -> tuple[tuple[str, str], ...]:
    return ((words("button.see"), button(Verb.SEE, link.jti)),)


def _way_out(refusal: Exception, command: Command, words: Words) -> tuple[tuple[str, str], ...]:
    if isinstance(refusal, TokenExpired) and command.reference:
        return ((words("button.new"), button(Verb.NEW_LINK, command.reference)),)
    return ()
