"""How often something may be done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.limit import Limit


def test_a_burst_and_then_the_rate() -> None:
    limit, full_at = Limit(per_s=2, burst=3), 0.0
    waits = []
    for now in (0, 0, 0, 0, 0.5, 0.5, 100, 100, 100, 100):
        full_at, wait = limit.take(full_at, now)
        waits.append(round(wait, 3))

    assert waits == [0, 0, 0, 0.5, 0, 0.5, 0, 0, 0, 0.5]


@given(
    st.floats(0.01, 100),
    st.integers(1, 50),
    st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_the_rate(per_s: float, burst: int, pauses: list[float]) -> None:
    limit, now, full_at, taken = Limit(per_s=per_s, burst=burst), 0.0, 0.0, 0
    for pause in pauses:
        now += pause
        full_at, wait = limit.take(full_at, now)
        taken += not wait
        assert taken <= burst + now * per_s + 1e-3
