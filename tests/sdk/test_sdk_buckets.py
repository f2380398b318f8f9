"""Quantiles are within 1 % of the exact order statistic, whatever the stream."""

import math
import operator
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine import buckets

durations = st.lists(st.floats(1.1e-5, 900.0), min_size=1, max_size=300)
streams = st.one_of(
    durations,
    st.lists(st.sampled_from([0.002, 0.0020001, 0.03, 0.9]), min_size=1, max_size=300),
    st.lists(st.floats(0.02, 0.0204), min_size=1, max_size=300),
)


def dense(values):
    counts = buckets.empty()
    for value in values:
        counts[buckets.index(value)] += 1
    return counts


@given(streams, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_quantiles_are_within_one_percent(values, q):
    exact = sorted(values)[max(0, math.ceil(q * len(values) - 1e-9) - 1)]
    (told,) = buckets.quantiles(dense(values), (q,))
    assert abs(told - exact) <= 0.01 * exact


@given(durations, durations, st.sampled_from([0.5, 0.95]))
def test_counts_of_two_streams_add_up(one, other, q):
    both = array("I", map(operator.add, dense(one), dense(other)))
    assert buckets.quantiles(both, (q,)) == buckets.quantiles(dense(one + other), (q,))


def test_what_is_out_of_range_counts_at_the_edge():
    assert buckets.index(0.0) == buckets.index(-1.0) == 0
    assert buckets.index(1e9) == buckets.TOP


def test_nothing_counted_is_zero():
    assert buckets.quantiles(buckets.empty(), (0.5, 0.99)) == [0.0, 0.0]


@pytest.mark.parametrize("ms", [0.05, 1, 20, 350, 5000, 60000])
def test_a_bucket_stands_for_what_is_in_it(ms):
    assert buckets.value(buckets.index(ms / 1000)) == pytest.approx(ms / 1000, rel=0.01)
