"""What it costs: by what was measured, and nothing where nothing was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alertengine.core.cost import Cost, Value, cost
from alertengine.core.language import ENGLISH, words
from alertengine.core.toll import Toll
from alertengine.testing import START

PAY = Value(noun="failed payments", amount=15.2, currency="USD")
REFUND = Value(noun="failed refunds")


def report(*rows: tuple[str, Any, Any], window_s: float = 60) -> dict[str, Any]:
    return {
        "metrics": {"window_s": window_s},
        "routes": [{"route": r, "sample_size": n, "error_rate": e} for r, n, e in rows],
    }


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def after(seconds: float, *rows: tuple[str, Any, Any], values: dict[str, Value] | None = None) -> Cost | None:
    """By the first report that anybody saw."""
    worth = {"POST /pay": PAY, "POST /refund": REFUND} if values is None else values
    return cost(Toll().see(at(seconds), report(*rows), worth), worth, START, at(seconds))


class Outage:
    """A route with ten requests a second, asked every five seconds, its report counting over the last minute."""

    def __init__(self) -> None:
        self.toll, self.failing, self.seconds = Toll(), [], 0

    def go_on(self, seconds: int, failing: bool) -> None:
        for _ in range(seconds // 5):
            self.failing += 5 * [failing]
            self.seconds += 5
            share = sum(self.failing[-60:]) / min(60, self.seconds)
            told = report(("POST /pay", 10 * min(60, self.seconds), share))
            self.toll = self.toll.see(at(self.seconds), told, {"POST /pay"})

    def cost(self, began: float) -> Cost | None:
        self.toll = self.toll.about(at(began))
        return cost(self.toll, {"POST /pay": PAY}, at(began), at(self.seconds))


def test_within_the_window_the_count_is_what_was_counted() -> None:
    seen = after(20, ("POST /pay", 67, 0.61))

    assert seen is not None
    assert seen.count == 41
    assert seen.money_per_h == pytest.approx(67 * 0.61 / 20 * 3600 * 15.2)


def test_what_began_before_anybody_looked_is_told_at_the_rate_that_was_found() -> None:
    seen = after(600, ("POST /pay", 10, 0.5))

    assert (seen.count, round(seen.money_per_h or 0)) == (50, 4560)  # type: ignore[union-attr]


def test_an_outage_of_minutes_is_counted_in_full_and_never_less_than_before() -> None:
    outage, counts = Outage(), [0]
    outage.go_on(60, failing=False)
    for _ in range(60):
        outage.go_on(5, failing=True)
        seen = outage.cost(began=60)
        assert seen is not None
        assert seen.count >= counts[-1]
        assert seen.money_per_h == pytest.approx(10 * 3600 * 15.2, rel=0.1)
        counts.append(seen.count)

    assert counts[1] == 50
    assert counts[-1] == pytest.approx(3000, rel=0.05)


def test_what_failed_before_this_trouble_is_not_its_cost() -> None:
    outage = Outage()
    outage.go_on(60, failing=True)
    outage.go_on(40, failing=False)

    assert outage.cost(began=95) is None
    outage.go_on(10, failing=True)
    assert outage.cost(began=100).count == 100  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "row",
    [
        ("POST /pay", 100, 0.002),
        ("POST /pay", 0, 1.0),
        ("GET /items", 100, 1.0),
        ("POST /pay", None, 0.5),
        ("POST /pay", 10, "many"),
        ("POST /pay", 10, 7.0),
        ("POST /pay", -10, 0.5),
        ("POST /pay", float("nan"), 0.5),
        ({"a": 1}, 10, 0.5),
    ],
)
def test_nothing_is_said_of_what_does_not_fail_has_no_value_or_was_not_measured(row: Any) -> None:
    assert after(30, row) is None


@pytest.mark.parametrize("broken", [{}, {"routes": "x"}, {"routes": [None, 3, []]}, {"metrics": []}])
def test_a_report_of_another_shape_costs_nothing(broken: Any) -> None:
    toll = Toll().see(START, broken, {"POST /pay"})

    assert cost(toll, {"POST /pay": PAY}, START, START) is None


def test_money_of_one_currency_is_added_up_and_the_dearest_is_named() -> None:
    orders, fees = Value(noun="failed orders", amount=2, currency="USD"), Value(amount=9, currency="ZWG")
    values = {"a": orders, "b": PAY, "c": fees}
    seen = after(60, ("a", 10, 1.0), ("b", 10, 1.0), ("c", 1, 1.0), values=values)

    assert (seen.noun, seen.currency) == ("failed payments", "USD")  # type: ignore[union-attr]
    assert seen.money_per_h == pytest.approx((20 + 152) * 60)  # type: ignore[union-attr]


def test_it_is_said_as_people_say_it() -> None:
    seen = Cost(count=41, noun="failed payments", money_per_h=620.4, currency="USD")

    assert seen.by(ENGLISH) == "About 41 failed payments so far, about 620 USD an hour."
    assert Cost(count=1200, noun="failed refunds").by(ENGLISH) == "About 1,200 failed refunds so far."
    assert Cost(count=3, money_per_h=4.26, currency="USD").by(ENGLISH) == "About 4.3 USD an hour."
    assert seen.by(words("fr")) == "Jusqu’ici, environ 41 failed payments, environ 620 USD par heure."
    assert words("sw")("cost.amount", amount=5, currency="KES") == "KES 5"
