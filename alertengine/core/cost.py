"""What a failing route costs its business: from measured figures only. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alertengine.core.language import Words
from alertengine.core.toll import Toll


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What one request of a route is worth: what its failure is called, and the money in it."""

    noun: str | None = None
    amount: float | None = None
    currency: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"noun": self.noun, "amount": self.amount, "currency": self.currency}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """`count` requests failed so far; at this rate `money_per_h` of `currency` is lost in an hour."""

    count: int
    noun: str | None = None
    money_per_h: float | None = None
    currency: str | None = None

    def to_json(self) -> dict[str, Any]:
        money = None if self.money_per_h is None else round(self.money_per_h, 2)
        return {"count": self.count, "noun": self.noun, "money_per_h": money, "currency": self.currency}

    def by(self, words: Words) -> str:
        """About 41 failed payments so far, about 620 USD an hour."""
        money = None
        if self.money_per_h is not None:
            money = words("cost.amount", amount=words.number(self.money_per_h), currency=self.currency)
        count = words.number(self.count)
        if self.noun is None:
            return words("cost.money", money=money)
        if money is None:
            return words("cost.count", count=count, noun=self.noun)
        return words("cost.both", count=count, noun=self.noun, money=money)


def cost(toll: Toll, values: Mapping[str, Value], began: datetime, now: datetime) -> Cost | None:
    """What the routes with a value that fail now have cost since `began`; None where none does."""
    failing = [(route, value) for route, value in values.items() if toll.fails(route)]
    found = [
        _of_route(value, toll.count(route, began), toll.per_s(route, began, now)) for route, value in failing
    ]
    found = [one for one in found if one.count]
    return _together(found) if found else None


def _together(found: list[Cost]) -> Cost:
    """One sentence names one thing: the dearest route's, with all the money in its currency."""
    worst = max(found, key=lambda one: (one.money_per_h or 0.0, one.count))
    if worst.money_per_h is None:
        return worst
    alike = [one.money_per_h or 0.0 for one in found if one.currency == worst.currency]
    return Cost(count=worst.count, noun=worst.noun, money_per_h=sum(alike), currency=worst.currency)


def _of_route(value: Value, failed: float, per_s: float) -> Cost:
    money = None if value.amount is None else value.amount * per_s * 3600
    return Cost(
        count=round(failed),
        noun=value.noun,
        money_per_h=money,
        currency=value.currency if money is not None else None,
    )
