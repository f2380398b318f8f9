"""The minute: what is older leaves it, and nothing else does."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine.window import SLICES, Window

slices = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 929), st.integers(1, 50), max_size=5),
        st.dictionaries(st.sampled_from([201, 404, 500]), st.integers(1, 9), max_size=3),
    ),
    max_size=40,
)


@given(slices)
def test_window_holds_the_last_slices_and_no_others(told):
    window = Window()
    for number, (counts, codes) in enumerate(told):
        window.roll(number)
        window.add(counts, codes)
    kept = told[-SLICES:]
    counts = sum((Counter(one) for one, _ in kept), Counter())
    codes = sum((Counter(one) for _, one in kept), Counter())
    assert window.n == sum(counts.values())
    assert {i: count for i, count in enumerate(window.total) if count} == counts
    assert window.codes == codes


def test_errors_client_errors_and_statuses():
    window = Window()
    window.add({3: 10}, {500: 2, 503: 1, 404: 4})
    assert (window.failed, window.refused) == (3, 4)
    assert window.statuses() == {"200": 3, "404": 4, "500": 2, "503": 1}


def test_recent_slices_alone():
    window = Window()
    for number in range(6):
        window.roll(number)
        window.add({number: 1}, {500: 1})
    counts, codes = window.recent(4)
    assert sum(counts) == 2
    assert codes == {500: 2}
