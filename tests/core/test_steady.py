from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.steady import BELIEVE_AFTER_S, FOLLOW_S, Steady
from alertengine.testing import START

BEGUN = Steady(at=START, ticks=100.0)


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_time_goes_on_with_the_clock() -> None:
    now = BEGUN.next(START + after(60), 160.0)
    assert (now.at, now.gap_s, now.trouble) == (START + after(60), 0.0, None)


def test_a_clock_that_is_a_little_ahead_is_followed() -> None:
    now = BEGUN.next(START + after(64), 160.0)
    assert (now.at, now.trouble) == (START + after(64), None)


def test_a_clock_that_was_set_back_is_not_followed() -> None:
    now = BEGUN.next(START - timedelta(days=400), 160.0)
    assert now.at == START + after(60)
    assert "behind the record" in str(now.trouble)
    assert now.next(START + after(120), 220.0).trouble is None


def test_a_jump_is_believed_once_the_clock_went_on_from_there() -> None:
    now, jump = BEGUN, timedelta(days=400)
    for second in range(0, int(BELIEVE_AFTER_S), 10):
        now = now.next(START + jump + after(second), 100.0 + second)
        assert now.at == START + after(second)
        assert "jumped ahead by 400 days" in str(now.trouble)
    now = now.next(START + jump + after(BELIEVE_AFTER_S), 100.0 + BELIEVE_AFTER_S)
    assert (now.at, now.trouble) == (START + jump + after(BELIEVE_AFTER_S), None)


def test_a_jump_that_was_taken_back_changed_nothing() -> None:
    away = BEGUN.next(START + timedelta(days=400), 101.0)
    back = away.next(START + after(900), 1000.0)
    assert (back.at, back.trouble) == (START + after(900), None)


def test_a_clock_that_keeps_jumping_is_not_believed() -> None:
    now = BEGUN
    for n in range(1, 40):
        now = now.next(START + timedelta(days=n), 100.0 + n * 60)
        assert now.at == START + after(n * 60)


@given(
    st.lists(st.tuples(st.floats(0, 5000), st.floats(-1e7, 1e7)), max_size=40),
)
def test_time_never_goes_back_and_never_stands_still(looks: list[tuple[float, float]]) -> None:
    now = BEGUN
    for passed, shown in looks:
        later = now.next(START + after(shown), now.ticks + passed)
        # A microsecond is the smallest step of a datetime.
        assert later.at - now.at >= after(passed) - timedelta(microseconds=1)
        assert (
            later.gap_s == 0.0 or abs((START + after(shown) - later.at).total_seconds() - later.gap_s) < 1e-3
        )
        assert (later.trouble is None) == (abs(later.gap_s) <= FOLLOW_S)
        now = later
