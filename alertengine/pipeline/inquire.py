"""Ask the configured model beside the rules. It holds up nothing: the rules' diagnosis stands before it is asked, the
first message waits a moment for it and then goes, and whatever becomes of it changes neither whether nor whom.

A question is booked, at what it may cost at most, in the transaction that records the rules' diagnosis, and asked after
it. A daemon that dies in between has paid for it and does not ask again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alertengine.core.diagnosis.answer import Unreadable, read
from alertengine.core.diagnosis.model import Finding
from alertengine.core.diagnosis.question import MAIN, PROMPT_VERSION, SECOND, Question, Recovery, ask
from alertengine.core.experience import experience
from alertengine.core.gate import Gate
from alertengine.core.incident import Incident
from alertengine.core.model import Service
from alertengine.core.plans import Feature, plan_of
from alertengine.core.said import Figure, Said, recorded, why
from alertengine.core.snapshot import Snapshot
from alertengine.core.spend import Usage, estimate
from alertengine.errors import ModelFailed, Refused
from alertengine.pipeline import opinions
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, runs, spending
from alertengine.store.base import Transaction
from alertengine.store.spending import Call

log = logging.getLogger(__name__)

SNAPSHOTS = 6
BURST, PER_S = 50, 5.0
GRACE_S = 0.5
NOTHING = Usage(fresh=0, out=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """The questions about one incident, each with its booking: the day it was booked on, once it was."""

    tenant_id: str
    incident_id: str
    asked: tuple[tuple[Question, Call], ...]
    day: str = ""

    @property
    def waits(self) -> tuple[str, int]:
        """Whose message waits for it."""
        return self.incident_id, self.asked[0][1].look


async def prepare(
    engine: Engine,
    incident: Incident,
    service: Service | None,
    snapshot: Snapshot | None,
    finding: Finding,
    look: int,
) -> Inquiry | Said | None:
    """The questions to be asked, or why none is; None where no model is configured. Never raises."""
    if engine.model is None or service is None:
        return None
    try:
        objected = await objection(engine, incident.tenant_id)
        return objected or await _questions(engine, incident, service, snapshot, finding, look)
    except Exception:
        log.exception("the model's question could not be made")
        return why("no_question")


async def objection(engine: Engine, tenant_id: str) -> Said | None:
    """Why the model is not asked for this tenant now, budget aside."""
    assert engine.model is not None
    complaint = engine.model.complaint()
    if complaint:
        return complaint
    tenant = await engine.store.fetch(directory.tenant(tenant_id))
    if tenant is None or Feature.MODEL_DIAGNOSIS not in plan_of(engine.plans, tenant.plan).features:
        return why("plan", plan=tenant.plan if tenant else "?")
    now = engine.clock.monotonic()
    gate = _gate(engine)
    if gate.shut_s(now):
        return why("left_alone", span=Figure(round(gate.shut_s(now)), "s"))
    return why("crowded") if gate.wait_s(now) else None


async def _questions(
    engine: Engine,
    incident: Incident,
    service: Service,
    snapshot: Snapshot | None,
    finding: Finding,
    look: int,
) -> Inquiry:
    trouble = {
        "service": incident.service,
        "what": incident.title,
        "reason": str(incident.detected.get("reason", "")),
        "since": str(incident.detected.get("since", "")),
    }
    report = snapshot.report if snapshot else None
    asked = await questions(engine, service, trouble, report, finding, but=incident.id)
    calls = tuple((q, call_of(engine, incident.tenant_id, incident.id, look, q)) for q in asked)
    return Inquiry(tenant_id=incident.tenant_id, incident_id=incident.id, asked=calls)


async def questions(
    engine: Engine,
    service: Service,
    trouble: Mapping[str, str],
    report: Mapping[str, Any] | None,
    finding: Finding,
    but: str = "",
) -> list[Question]:
    """One for each lens; the memory leaves out the incident `but`."""
    past = await engine.store.fetch(runs.executions(service.tenant_id, service.id, but))
    recoveries = [
        Recovery(
            id=a.name,
            description=a.description,
            before=_before(experience(past, a.name, finding.cause), a.name),
        )
        for a in engine.recoveries(service)
    ]
    polls = [opinions.poll_in_words(s) for s in engine.watch(service.id).recent[-SNAPSHOTS:]]
    lenses = (MAIN, SECOND) if engine.terms.second_opinion else (MAIN,)
    return [ask(trouble, report, finding, polls, recoveries, lens) for lens in lenses]


def _before(known: Any, action: str) -> str | None:
    return f"{action}: {known}" if known else None


def call_of(engine: Engine, tenant: str, incident: str, look: int, question: Question) -> Call:
    assert engine.model is not None
    at_most = estimate(question.characters, engine.terms.max_tokens)
    return Call(
        tenant_id=tenant,
        incident_id=incident,
        look=look,
        lens=question.lens,
        provider=engine.model.name,
        model=engine.model.model,
        prompt=PROMPT_VERSION,
        sha256=question.sha256,
        question=question.text,
        at_most=at_most,
        cost_at_most=engine.model.prices.cost(at_most),
    )


def book(engine: Engine, tx: Transaction, wanted: Inquiry | Said | None) -> Inquiry | Said | None:
    """Take what the questions may cost from today's budget. The second opinion is left out where it does not fit."""
    if not isinstance(wanted, Inquiry):
        return wanted
    booked: list[tuple[Question, Call]] = []
    day = ""
    for question, call in wanted.asked:
        day, objected = spending.reserve(tx, call, engine.terms.budget, engine.now())
        if objected and not booked:
            return objected
        if objected is None:
            booked.append((question, call))
    return replace(wanted, asked=tuple(booked), day=day)


def standing(engine: Engine, booked: Inquiry | Said | None) -> dict[str, Any]:
    """What the rules' diagnosis says about the model: asked, or why not."""
    if booked is None:
        return {}
    state: dict[str, Any] = {"state": "asked"}
    if isinstance(booked, Said):
        state = {"state": "not asked", **recorded(reason=booked)}
    return {"model": {**state, **opinions.named(engine)}}


def start(engine: Engine, inquiry: Inquiry, go_on: Callable[[], Awaitable[None]]) -> None:
    engine.memory.thinking.add(inquiry.waits)
    task = engine.spawn(_pursue(engine, inquiry, go_on))
    engine.memory.asking.add(task)
    task.add_done_callback(engine.memory.asking.discard)
    # Also where the task never began: whoever waits for it must not wait for ever.
    task.add_done_callback(lambda _: engine.memory.thinking.discard(inquiry.waits))


async def _pursue(engine: Engine, inquiry: Inquiry, go_on: Callable[[], Awaitable[None]]) -> None:
    replies = asyncio.gather(*(put(engine, question, call) for question, call in inquiry.asked))
    try:
        try:
            # In real seconds: no jump of the clock holds up a message.
            await asyncio.wait({replies}, timeout=engine.terms.deadline_s)
            if not replies.done():
                await _release(engine, inquiry, go_on)
            found = await replies
            await opinions.record_replies(engine, inquiry.tenant_id, inquiry.incident_id, inquiry.day, found)
        finally:
            replies.cancel()
            engine.memory.thinking.discard(inquiry.waits)
        await go_on()
    except Exception as error:
        log.warning("%s: the model's reading is lost: %s", inquiry.incident_id, error)


async def _release(engine: Engine, inquiry: Inquiry, go_on: Callable[[], Awaitable[None]]) -> None:
    """The message leaves now, without it."""
    engine.memory.thinking.discard(inquiry.waits)
    try:
        await go_on()
    except Exception as error:
        log.warning("%s could not be advanced: %s", inquiry.incident_id, error)  # the sweep tries again


async def put(engine: Engine, question: Question, call: Call) -> opinions.Reply:
    """Ask once, within the hard limit. Never raises but when it is cancelled."""
    assert engine.model is not None
    gate, began = _gate(engine), engine.clock.monotonic()
    engine.memory.keep_gate(_key(engine), gate.tried(began))
    reply = await _put(engine, question, call)
    now = engine.clock.monotonic()
    gate = _gate(engine)
    engine.memory.keep_gate(_key(engine), gate.failed(now) if reply.at_fault else gate.answered())
    engine.memory.troubles[_key(engine)] = _alone(engine, reply.reason) if reply.is_down else None
    return replace(reply, took_s=round(now - began, 3))


async def _put(engine: Engine, question: Question, call: Call) -> opinions.Reply:
    assert engine.model is not None
    limit = engine.terms.limit_s
    answer = None
    try:
        async with asyncio.timeout(limit + GRACE_S):
            answer = await engine.model.ask(question, engine.terms.max_tokens, limit)
        opinion = read(answer.said, question)
    except ModelFailed as error:
        used = error.charged or (None if error.unsure else NOTHING)
        return opinions.Reply(call=call, why=error.said, used=used, at_fault=error.at_fault)
    except Unreadable as error:
        return opinions.Reply(call=call, why=error.said, used=answer.usage if answer else None)
    except TimeoutError:
        late = why("late", span=Figure(limit, "s"))
        return opinions.Reply(call=call, why=late, used=None, at_fault=True)
    except Exception:
        log.exception("the model's adapter broke")
        return opinions.Reply(call=call, why=why("adapter"), used=None, at_fault=True)
    return opinions.Reply(
        call=call, opinion=opinion, used=answer.usage, model=answer.model, request_id=answer.request_id
    )


async def by_hand(engine: Engine, tenant_id: str, asked: Sequence[Question]) -> list[opinions.Reply]:
    """Ask because somebody wants to know: booked like any other question, and nothing of it kept.

    Raises `Refused` with the reason where it may not be asked.
    """
    if engine.model is None:
        raise Refused("No model is configured: [diagnosis] provider, e.g. claude.")
    objected = await objection(engine, tenant_id)
    wanted = Inquiry(
        tenant_id=tenant_id,
        incident_id="",
        asked=tuple((question, call_of(engine, tenant_id, "", 1, question)) for question in asked),
    )
    booked: Inquiry | Said | None = objected
    if objected is None:
        booked = await engine.store.transact(lambda tx: book(engine, tx, wanted))
    if not isinstance(booked, Inquiry):
        raise Refused(f"{engine.model.name} is not asked: {booked.english if booked else ''}.")
    replies = await asyncio.gather(*(put(engine, question, call) for question, call in booked.asked))

    def work(tx: Transaction) -> None:
        for reply in replies:
            opinions.settle(engine, tx, booked.day, reply)

    await engine.store.transact(work)
    return replies


def complaint(engine: Engine) -> str | None:
    """Why a model that is configured cannot be asked."""
    said = engine.model.complaint() if engine.model else None
    return _alone(engine, said.english) if said else None


def _alone(engine: Engine, why: str) -> str:
    return f"{_key(engine)}: {why}; the rules diagnose alone"


def state(engine: Engine) -> Mapping[str, Any] | None:
    """How the model is, for the operator; None where none is configured."""
    if engine.model is None:
        return None
    unfit = engine.model.complaint()
    shut = _gate(engine).shut_s(engine.clock.monotonic())
    failed = engine.memory.troubles.get(_key(engine))
    word = "not usable" if unfit else "left alone" if shut else "failing" if failed else "ok"
    reason = f"it keeps failing; asked again in {shut:.0f} s" if shut else failed
    budget = engine.terms.budget
    return {
        **opinions.named(engine),
        "state": word,
        "reason": unfit.english if unfit else reason,
        "budget": {"tokens": budget.tokens, "usd": budget.usd},
    }


def _key(engine: Engine) -> str:
    assert engine.model is not None
    return f"model {engine.model.name}"


def _gate(engine: Engine) -> Gate:
    fresh = Gate(per_s=PER_S, burst=BURST, at=engine.clock.monotonic())
    return engine.memory.gates.setdefault(_key(engine), fresh)
