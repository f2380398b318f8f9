"""What was asked of a model and what it cost. What a question may cost at most is taken before it leaves, and set right
with its answer: a daemon that dies in between has paid, and asks no second time.

Days are those of the store's own time, which never goes back: a clock that is set back gives no budget a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alertengine.core.model import rfc3339
from alertengine.core.said import Said
from alertengine.core.spend import Budget, Spent, Usage, dollars
from alertengine.store.base import Query, Transaction

KEPT_DAYS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question. `incident` is empty, and nothing of it kept, where somebody asked by hand."""

    tenant_id: str
    incident_id: str
    look: int
    lens: str
    provider: str
    model: str
    prompt: str
    sha256: str
    question: str
    at_most: Usage
    cost_at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A question as it left, for whoever wants to know."""

    look: int
    lens: str
    model: str
    prompt: str
    sha256: str
    question: str
    state: str
    tokens: int
    cost: int

    def to_json(self) -> dict[str, Any]:
        return {
            "look": self.look,
            "lens": self.lens,
            "model": self.model,
            "prompt": self.prompt,
            "sha256": self.sha256,
            "state": self.state,
            "tokens": self.tokens,
            "cost_usd": dollars(self.cost),
            "question": self.question,
        }


def reserve(tx: Transaction, call: Call, budget: Budget, now: datetime) -> tuple[str, Said | None]:
    """(the day it is booked on, why it may not be asked: None where it may, and is booked)."""
    at = tx.now(now)
    day = _day(at)
    if call.incident_id and tx.fetch(asked(call)):
        return day, Said("model.why.twice")
    objection = budget.objection(tx.fetch(spent(call.tenant_id, at)), call.at_most, call.cost_at_most)
    if objection:
        return day, objection
    _book(tx, call.tenant_id, day, 1, call.at_most.tokens, call.cost_at_most)
    tx.execute(
        "DELETE FROM model_spend WHERE tenant = ? AND day < ?",
        call.tenant_id,
        _day(at - timedelta(KEPT_DAYS)),
    )
    if call.incident_id:
        _write(tx, call, day, at)
    return day, None


def settle(tx: Transaction, call: Call, day: str, used: Usage, cost: int, state: str) -> None:
    """The same call, now that what it used is known. Booked on the day it was asked on."""
    _book(tx, call.tenant_id, day, 0, used.tokens - call.at_most.tokens, cost - call.cost_at_most)
    tx.execute(
        "UPDATE model_call SET state = ?, tokens = ?, cost = ?"
        " WHERE tenant = ? AND incident = ? AND look = ? AND lens = ?",
        state,
        used.tokens,
        cost,
        call.tenant_id,
        call.incident_id,
        call.look,
        call.lens,
    )


def spent(tenant: str | None, now: datetime) -> Query[Spent]:
    """On that day, by one tenant or by all."""
    return Query(
        sql="SELECT coalesce(sum(calls), 0), coalesce(sum(tokens), 0), coalesce(sum(cost), 0)"
        " FROM model_spend WHERE day = ? AND tenant = coalesce(?, tenant)",
        params=(_day(now), tenant),
        decode=lambda rows: Spent(calls=rows[0][0], tokens=rows[0][1], cost=rows[0][2]),
    )


def asked(call: Call) -> Query[bool]:
    return Query(
        sql="SELECT 1 FROM model_call WHERE tenant = ? AND incident = ? AND look = ? AND lens = ?",
        params=(call.tenant_id, call.incident_id, call.look, call.lens),
        decode=bool,
    )


def kept(tenant: str, incident: str) -> Query[list[Kept]]:
    """What was asked about an incident, in order."""
    return Query(
        sql="SELECT look, lens, model, prompt, sha256, question, state, tokens, cost FROM model_call"
        " WHERE tenant = ? AND incident = ? ORDER BY look, lens",
        params=(tenant, incident),
        decode=lambda rows: [
            Kept(
                look=row[0],
                lens=row[1],
                model=row[2],
                prompt=row[3],
                sha256=row[4],
                question=row[5],
                state=row[6],
                tokens=row[7],
                cost=row[8],
            )
            for row in rows
        ],
    )


def _book(tx: Transaction, tenant: str, day: str, calls: int, tokens: int, cost: int) -> None:
    tx.execute(
        "INSERT INTO model_spend (tenant, day, calls, tokens, cost) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET calls = calls + excluded.calls, tokens = tokens + excluded.tokens, cost = cost + excluded.cost",
        tenant,
        day,
        calls,
        tokens,
        cost,
    )


def _write(tx: Transaction, call: Call, day: str, at: datetime) -> None:
    tx.execute(
        "INSERT INTO model_call (tenant, incident, look, lens, day, provider, model, prompt, sha256, question,"
        " asked_at, state, tokens, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'asked', ?, ?)",
        call.tenant_id,
        call.incident_id,
        call.look,
        call.lens,
        day,
        call.provider,
        call.model,
        call.prompt,
        call.sha256,
        call.question,
        rfc3339(at),
        call.at_most.tokens,
        call.cost_at_most,
    )


def _day(at: datetime) -> str:
    return rfc3339(at)[:10]
