"""The minute: what is older leaves it, and nothing else does."""

from array import array
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine.packed import MOST
from fastapi_alertengine.window import FOLD, SLICES, Window, key

slices = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 929), st.integers(1, 50), max_size=5),
        st.dictionaries(st.sampled_from([201, 404, 500]), st.integers(1, 9), max_size=3),
    ),
    max_size=40,
)


def add(window, counts, codes):
    keys = Counter(counts) + Counter({key(code): count for code, count in codes.items()})
    failed = sum(count for code, count in codes.items() if code >= 500)
    refused = sum(count for code, count in codes.items() if 400 <= code < 500)
    window.add(array("H", keys.elements()), sum(counts.values()), failed, refused)


def dense(counts):
    return {bucket: count for bucket, count in enumerate(counts) if count}


@given(slices)
def test_window_holds_the_last_slices_and_no_others(told):
    window = Window()
    for number, (counts, codes) in enumerate(told):
        window.roll(number)
        add(window, counts, codes)
    kept = told[-SLICES:]
    counts = sum((Counter(one) for one, _ in kept), Counter())
    codes = sum((Counter(one) for _, one in kept), Counter())
    assert window.n == sum(counts.values())
    assert (window.failed, window.refused) == (codes[500], codes[404])
    assert dense(window.total) == counts
    recent, seen = window.recent(0)
    assert (dense(recent), seen) == (counts, codes)


@given(slices)
def test_what_leaves_is_what_came(told):
    window = Window()
    gone = []
    for number, (counts, codes) in enumerate(told):
        gone += window.roll(number)
        add(window, counts, codes)
    gone += window.roll(len(told)) + window.roll(len(told) + SLICES)
    assert [(dict(one.counts), one.codes) for one in gone] == [one for one in told if one[0] or one[1]]
    assert not window.n
    assert not any(window.total)


def test_a_slice_that_was_learnt_from_early_does_not_come_again():
    window = Window()
    for number in range(3):
        window.roll(number)
        add(window, {number: 1}, {})
    window.roll(3)
    assert window.learn_last().counts == [(2, 1)]
    assert window.learn_last() is None
    assert [one.number for one in window.roll(30)] == [0, 1]


def test_recent_slices_alone():
    window = Window()
    for number in range(6):
        window.roll(number)
        add(window, {number: 1}, {500: 1})
    counts, codes = window.recent(4)
    assert (sum(counts), codes) == (2, {500: 2})


def test_busy_slices_are_folded_and_lose_nothing():
    window = Window()
    for _ in range(5):
        add(window, {7: FOLD, 8: 1}, {500: 3})
    assert len(window._open) <= FOLD
    add(window, {7: 1}, {})
    counts, codes = window.recent(0)
    assert (dense(counts), codes) == ({7: 5 * FOLD + 1, 8: 5}, {500: 15})


def test_what_was_told_already_is_not_counted_again():
    window = Window()
    told = []
    for number in range(3):
        window.roll(number)
        for _ in range(3):
            add(window, {number: FOLD // 2}, {404: 1})
            told.append(sum(window.total))
    assert told == [(i + 1) * (FOLD // 2) for i in range(9)]
    assert dense(window.total) == dict.fromkeys(range(3), 3 * (FOLD // 2))
    window.roll(3)
    window.roll(20)
    assert not any(window.total)


def test_counts_beyond_a_word_are_kept_whole():
    window = Window()
    window.add(array("H", [3]) * (MOST + 5), MOST + 5, 0, 0)
    window.roll(1)
    (old,) = window.roll(20)
    assert sum(count for _, count in old.counts) == MOST + 5
    assert not any(window.total)
