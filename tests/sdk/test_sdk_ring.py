"""Rings: what is written is read, whole or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastapi_alertengine import ring


@pytest.fixture
def path(tmp_path):
    return tmp_path / "1.ring"


def test_a_reader_begins_with_the_last_minute(path):
    writer = ring.Writer(path, 1.0)
    writer.write(1.0, b"too old")
    writer.write(30.0, b"before")
    writer.beat(62.0)
    reader = ring.Reader(path)
    writer.write(62.0, b"after")
    assert reader.read() == ([(30.0, b"before"), (62.0, b"after")], 0)
    assert reader.read() == ([], 0)
    assert reader.beat == 62.0


def test_a_late_reader_of_a_full_ring_finds_where_a_record_begins(path):
    writer = ring.Writer(path, 1.0)
    for i in range(50):
        writer.write(float(i), bytes([i]) * 50_000)
    records, lost = ring.Reader(path).read()
    assert not lost
    assert len(records) > 10
    assert [raw for _, raw in records] == [bytes([i]) * 50_000 for i in range(50)][-len(records) :]


@settings(max_examples=20)
@given(st.lists(st.integers(1, ring.LARGEST), min_size=1, max_size=40))
def test_records_survive_the_end_of_the_ring(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("ring") / "1.ring"
    writer = ring.Writer(path, 0.0)
    reader = ring.Reader(path)
    for i, size in enumerate(sizes):
        raw = bytes([i % 251]) * size
        assert writer.write(0.0, raw)
        assert reader.read() == ([(0.0, raw)], 0)
    reader.close()
    writer.leave()


def test_a_reader_that_comes_too_late_says_so_and_goes_on(path):
    writer = ring.Writer(path, 0.0)
    reader = ring.Reader(path)
    for _ in range(6):
        writer.write(0.0, b"x" * ring.LARGEST)
    assert reader.read() == ([], 1)
    writer.write(0.0, b"new")
    assert reader.read() == ([(0.0, b"new")], 0)


def test_a_torn_record_is_not_believed(path):
    writer = ring.Writer(path, 0.0)
    reader = ring.Reader(path)
    writer.write(0.0, b"hello")
    with open(path, "r+b") as file:
        file.seek(ring.HEAD.size + ring.RECORD.size)
        file.write(b"J")
    assert reader.read() == ([], 1)


def test_too_large_a_record_is_not_written(path):
    assert not ring.Writer(path, 0.0).write(0.0, b"x" * (ring.LARGEST + 1))


def test_other_files_are_refused(path):
    path.write_bytes(b"x" * (ring.HEAD.size + ring.CAPACITY))
    with pytest.raises(ValueError, match="not a ring"):
        ring.Reader(path)
