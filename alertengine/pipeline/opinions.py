"""What the model answered, on the record and to people: beside the rules' reading, marked as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alertengine.core.diagnosis.answer import Opinion
from alertengine.core.diagnosis.question import SECOND
from alertengine.core.diagnosis.told import by_rules
from alertengine.core.events import EventType, NewEvent, Stage
from alertengine.core.experience import experience
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.language import ENGLISH
from alertengine.core.message import MessageKind
from alertengine.core.model import ActionSpec, rfc3339
from alertengine.core.said import Said, recorded
from alertengine.core.snapshot import Snapshot
from alertengine.core.spend import Usage, dollars
from alertengine.pipeline.catalogue import fits
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.findings import finding_json, past_of, proposal_json
from alertengine.pipeline.notify import append
from alertengine.store import directory, incidents, spending
from alertengine.store.base import Transaction
from alertengine.store.spending import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one question: an opinion, or the reason why there is none. `used` is None where nobody knows."""

    call: Call
    used: Usage | None
    opinion: Opinion | None = None
    why: Said | None = None
    at_fault: bool = False
    took_s: float = 0.0
    model: str = ""
    request_id: str | None = None

    @property
    def is_down(self) -> bool:
        """The provider failed, or takes no question at all: by a wrong key, say."""
        return self.at_fault or (self.opinion is None and self.used == Usage(fresh=0, out=0))

    @property
    def reason(self) -> str:
        return self.why.english if self.why else ""


async def record_replies(
    engine: Engine, tenant: str, incident_id: str, day: str, replies: Sequence[Reply]
) -> None:
    """Book what the questions really cost, and put the reading on the record, whatever the incident has come to."""

    def work(tx: Transaction) -> bool:
        for reply in replies:
            settle(engine, tx, day, reply)
        state = tx.fetch(incidents.incident(tenant, incident_id))
        if state is None or state.diagnosis is None or _look(state) != replies[0].call.look:
            return False  # too late: the evidence was looked at anew, and what is thought of it is on its way
        data = _data(engine, tx, state, replies)
        message = MessageKind.DIAGNOSIS if data["source"] != "rules" and _wanted(state) else None
        append(engine, tx, state, [NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=data)], message)
        return message is not None

    if await engine.store.transact(work):
        engine.memory.outbox.set()


def _look(state: Incident) -> int:
    look: int = (state.diagnosis or {}).get("look", 1)
    return look


def settle(engine: Engine, tx: Transaction, day: str, reply: Reply) -> None:
    """What nobody knows stays booked as what it may be at most."""
    assert engine.model is not None
    used = reply.used or reply.call.at_most
    spending.settle(
        tx, reply.call, day, used, engine.model.prices.cost(used), "answered" if reply.opinion else "failed"
    )


def _wanted(state: Incident) -> bool:
    """People were asked already and have not decided: they are told what else is thought."""
    return state.stage in DECIDABLE and state.alert_queued_at is not None


def _data(engine: Engine, tx: Transaction, state: Incident, replies: Sequence[Reply]) -> dict[str, Any]:
    assert state.diagnosis is not None
    before = {
        k: v for k, v in by_rules(state.diagnosis).items() if k not in ("model", "rules", "second_opinion")
    }
    told = reading_json(engine, replies)
    told["model"]["today"] = tx.fetch(spending.spent(state.tenant_id, tx.now(engine.now()))).to_json()
    look = _look(state)
    opinion = next((r.opinion for r in replies if r.opinion), None)
    if opinion is None:
        return {**before, **_kept(state), "look": look, **told}
    action = _proposed(engine, tx, state, opinion)
    return {
        **proposal_json(action),
        **told,
        "experience": _experience(tx, state, action, opinion.finding.cause),
        "look": look,
        "rules": before,
    }


def reading_json(engine: Engine, replies: Sequence[Reply]) -> dict[str, Any]:
    """The model's part: what it reads, or why nothing, and what it cost."""
    told = {**named(engine), "calls": [_call(engine, reply) for reply in replies]}
    first = next((r for r in replies if r.opinion), None)
    if first is None or first.opinion is None:
        why = replies[0].why
        return {"model": {"state": "failed", **(recorded(reason=why) if why else {}), **told}}
    opinion = first.opinion
    return {
        **finding_json(opinion.finding),
        "source": first.model or told["model"],
        "claims": [{"text": c.text, "cites": list(c.cites)} for c in opinion.claims],
        "recommended_action": opinion.action,
        "model": {"state": "answered", **told},
        **_second(replies, first),
    }


def _kept(state: Incident) -> dict[str, Any]:
    """What is proposed stays; what the rules recommended stands beside it."""
    kept = proposal_json(state.action)
    return {"action": kept["action"], "digest": kept["digest"]}


def _proposed(engine: Engine, tx: Transaction, state: Incident, opinion: Opinion) -> ActionSpec | None:
    """The model chooses among this tenant's recoveries where the rules have no reason for theirs, and only before
    anybody was asked: nobody's decision is about something else than what they were shown."""
    untold = state.stage in (Stage.DETECTED, Stage.DIAGNOSED) and state.alert_queued_at is None
    if not untold or opinion.action is None or state.execution is not None:
        return state.action
    assert state.diagnosis is not None
    if state.action is not None and fits(state.action, by_rules(state.diagnosis)["cause"]):
        return state.action
    service = tx.fetch(directory.service(state.tenant_id, state.service_id))
    offered = engine.recoveries(service) if service else ()
    return next((a for a in offered if a.name == opinion.action), state.action)


def _experience(
    tx: Transaction, state: Incident, action: ActionSpec | None, cause: str
) -> dict[str, Any] | None:
    if action is None:
        return None
    past = tx.fetch(past_of(state))
    known = experience(past, action.name, cause)
    return known.to_json() if known else None


def _second(replies: Sequence[Reply], first: Reply) -> dict[str, Any]:
    """The second lens, where it was asked for and is not what is told as the first."""
    other = next((r for r in replies if r.call.lens == SECOND), None)
    if other is None or other is first:
        return {}
    if other.opinion is None:
        return {"second_opinion": {"cause": None, "reason": other.reason}}
    finding = other.opinion.finding
    return {
        "second_opinion": {
            "cause": finding.cause,
            "confidence": finding.confidence,
            "summary": finding.summary,
            "recommended_action": other.opinion.action,
            "agrees": first.opinion is not None and finding.cause == first.opinion.finding.cause,
        }
    }


def _call(engine: Engine, reply: Reply) -> dict[str, Any]:
    assert engine.model is not None
    call, used = reply.call, reply.used or reply.call.at_most
    return {
        "lens": call.lens,
        "prompt": call.prompt,
        "input_sha256": call.sha256,
        "model": reply.model or call.model,
        "request_id": reply.request_id,
        "took_s": reply.took_s,
        "tokens_in": used.tokens - used.out,
        "tokens_out": used.out,
        "cost_usd": dollars(engine.model.prices.cost(used)),
        "counted": reply.used is not None,
        "outcome": reply.reason or "answered",
        "dropped": [d.reason for d in reply.opinion.dropped] if reply.opinion else [],
    }


def named(engine: Engine) -> dict[str, Any]:
    assert engine.model is not None
    return {"provider": engine.model.name, "model": engine.model.model}


def poll_in_words(snapshot: Snapshot) -> str:
    """One poll as a line that can be cited."""
    figures = [f"poll at {rfc3339(snapshot.at)[11:19]}: {snapshot.health}"]
    if snapshot.score is not None:
        figures.append(f"score {snapshot.score:.0f} of 100")
    if snapshot.error_rate is not None:
        figures.append(f"{ENGLISH.percent(snapshot.error_rate)} of requests fail")
    if snapshot.p95_ms is not None:
        figures.append(f"P95 {ENGLISH.milliseconds(snapshot.p95_ms)}")
    return ", ".join(figures)
