"""What asking a model costs, and how much of it is allowed. Pure; money in millionths of a dollar."""

from __future__ import annotations

from dataclasses import dataclass

from alertengine.core.said import Said

MILLION = 1_000_000
CACHED = 0.1
"""A part of the question that the provider remembered costs this share of its price."""
REMEMBERED = 1.25
"""And this much when it is remembered for the first time."""
CHARACTERS_A_TOKEN = 3
"""Fewer than there are on average: what is set aside is rather too much than too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that were counted for one call. `fresh`: neither remembered before nor now."""

    fresh: int
    out: int
    cached: int = 0
    remembered: int = 0

    @property
    def tokens(self) -> int:
        return self.fresh + self.cached + self.remembered + self.out


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars for a million tokens, which is millionths of a dollar for one."""

    usd_in: float
    usd_out: float

    def cost(self, usage: Usage) -> int:
        weighed = usage.fresh + CACHED * usage.cached + REMEMBERED * usage.remembered
        return round(weighed * self.usd_in + usage.out * self.usd_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """For one tenant and day (UTC)."""

    tokens: int
    usd: float

    def objection(self, spent: Spent, wanted: Usage, cost: int) -> Said | None:
        """Why no more may be asked today; None where it may."""
        if spent.tokens + wanted.tokens > self.tokens:
            return Said("model.why.tokens", {"n": self.tokens})
        if spent.cost + cost > self.usd * MILLION:
            return Said("model.why.money", {"amount": f"{self.usd:g} USD"})
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    calls: int = 0
    tokens: int = 0
    cost: int = 0

    def to_json(self) -> dict[str, float]:
        return {"calls": self.calls, "tokens": self.tokens, "usd": dollars(self.cost)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a model is asked: the alert waits for it `deadline_s` at most, and the answer is given up after `limit_s`."""

    deadline_s: float
    limit_s: float
    max_tokens: int
    second_opinion: bool
    budget: Budget


def estimate(characters: int, max_tokens: int) -> Usage:
    """What a question may use at most."""
    return Usage(fresh=characters // CHARACTERS_A_TOKEN + 1, out=max_tokens)


def dollars(cost: int) -> float:
    return round(cost / MILLION, 6)
