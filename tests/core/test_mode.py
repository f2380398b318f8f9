from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.mode import LEAVE_AFTER_S, Condition, Fact, Mode

STORE_DOWN = Fact(part="store", trouble="the disk is full", costs=Mode.EMERGENCY)
STORE_WELL = Fact(part="store", trouble=None, costs=Mode.EMERGENCY)
CHANNEL_DOWN = Fact(part="channel sms", trouble="channel sms: refused")
CHANNEL_WELL = Fact(part="channel sms", trouble=None)


def test_the_gravest_fact_decides_and_comes_first() -> None:
    both = Condition().see([CHANNEL_DOWN, STORE_DOWN], 0.0)
    assert (both.mode, both.reasons) == (Mode.EMERGENCY, ["the disk is full", "channel sms: refused"])
    assert Condition().see([CHANNEL_DOWN, STORE_WELL], 0.0).mode is Mode.DEGRADED
    assert Condition().see([CHANNEL_WELL, STORE_WELL], 0.0).mode is Mode.NORMAL


def test_a_mode_is_entered_at_once_and_left_after_a_while() -> None:
    state = Condition().see([STORE_DOWN], 0.0)
    for at in (1.0, 5.0, LEAVE_AFTER_S + 0.9):
        state = state.see([STORE_WELL], at)
        assert state.mode is Mode.EMERGENCY
    assert state.see([STORE_WELL], LEAVE_AFTER_S + 1.0).mode is Mode.NORMAL


def test_a_part_that_is_gone_is_no_fault() -> None:
    assert Condition().see([CHANNEL_DOWN], 0.0).see([], 0.1).mode is Mode.NORMAL


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 5)), min_size=1, max_size=60))
def test_what_flickers_never_leaves_its_mode(steps: list[tuple[bool, float]]) -> None:
    """NORMAL after a fault means: the last fault is at least the whole while ago."""
    state, now, last_bad = Condition(), 0.0, None
    for well, pause in steps:
        now += pause
        state = state.see([STORE_WELL if well else STORE_DOWN], now)
        last_bad = last_bad if well else now
        if last_bad is None:
            assert state.mode is Mode.NORMAL
        elif now - last_bad < LEAVE_AFTER_S:
            assert state.mode is Mode.EMERGENCY
