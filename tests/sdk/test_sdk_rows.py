"""What workers exchange merges in any order and survives the wire."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine.buckets import COUNT
from fastapi_alertengine.rows import Batch, Row, decode, encode
from fastapi_alertengine.window import key

keys = st.one_of(st.integers(0, COUNT - 1), st.integers(100, 999).map(key))
counters = st.dictionaries(keys, st.integers(1, 10**5), max_size=8).map(Counter)
pairs = st.tuples(st.integers(0, 99), st.integers(0, 99))
rows = st.builds(Row, st.just("GET"), st.just("/x"), counters, pairs, pairs)


@given(rows, rows, rows)
def test_merging_is_associative_and_commutative(a, b, c):
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(b) == b.merge(a)


@given(st.integers(0, 1000), st.lists(rows, max_size=4))
def test_a_batch_survives_the_wire(in_flight, some):
    assert decode(encode(Batch(in_flight, some))) == Batch(in_flight, some)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[1]",
        b'[1,[["GET"]]]',
        b'[1,[["GET","/",[5000,1],[0,0,0,0]]]]',
        b'[1,[["GET","/",[930,1],[0,0,0,0]]]]',
        b'[1,[["GET","/",[5,-1],[0,0,0,0]]]]',
        b'[1,[["GET","/",[5,99000000000],[0,0,0,0]]]]',
        b"\xff",
    ],
)
def test_anything_else_is_refused(raw):
    with pytest.raises(ValueError, match=r"."):
        decode(raw)
