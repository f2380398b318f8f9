"""Quiet hours by the clock on the wall: across midnight, and through the changes of summer time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.model import Contact, Role
from alertengine.core.quiet import DAYS, QuietHours, quiet_until
from alertengine.testing import START

HARARE, BERLIN, LORD_HOWE = (
    ZoneInfo("Africa/Harare"),
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("Australia/Lord_Howe"),
)
NIGHT = QuietHours(begins=time(22), ends=time(6), zone=HARARE)
RUDO = Contact(id="con_rudo", tenant_id="ten_1", name="Rudo", channel="telegram")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-02T21:59:59+02:00", None),
        ("2026-01-02T22:00:00+02:00", "2026-01-03T06:00:00+02:00"),
        ("2026-01-03T00:00:00+02:00", "2026-01-03T06:00:00+02:00"),
        ("2026-01-03T05:59:59+02:00", "2026-01-03T06:00:00+02:00"),
        ("2026-01-03T06:00:00+02:00", None),
    ],
)
def test_a_night_goes_across_midnight(now: str, until: str | None) -> None:
    assert NIGHT.until(at(now)) == (at(until) if until else None)


def test_days_are_those_on_which_it_begins() -> None:
    weekend = QuietHours(begins=time(22), ends=time(6), zone=HARARE, days=("sat",))
    assert weekend.until(at("2026-01-03T23:00:00+02:00")) is not None  # a Saturday
    assert weekend.until(at("2026-01-04T03:00:00+02:00")) is not None
    assert weekend.until(at("2026-01-04T23:00:00+02:00")) is None


def test_an_hour_that_comes_twice_is_quiet_until_the_wall_shows_the_end_again() -> None:
    autumn = QuietHours(begins=time(22), ends=time(2, 30), zone=BERLIN)
    assert autumn.until(at("2026-10-25T02:15:00+02:00")) == at("2026-10-25T02:30:00+02:00")
    assert autumn.until(at("2026-10-25T02:15:00+01:00")) == at("2026-10-25T02:30:00+01:00")


def test_an_end_that_never_comes_by_the_wall_is_the_moment_it_was_skipped() -> None:
    spring = QuietHours(begins=time(22), ends=time(2, 30), zone=BERLIN)
    assert spring.until(at("2026-03-29T01:59:00+01:00")) == at("2026-03-29T02:30:00+01:00")
    assert spring.until(at("2026-03-29T03:00:00+02:00")) is None


def test_all_day_is_quiet_where_the_end_is_the_beginning() -> None:
    day = QuietHours(begins=time(0), ends=time(0), zone=HARARE, days=("sun",))
    assert day.until(at("2026-01-04T12:00:00+02:00")) == at("2026-01-05T00:00:00+02:00")
    assert day.until(at("2026-01-05T00:00:00+02:00")) is None


@given(
    begins=st.times(),
    ends=st.times(),
    zone=st.sampled_from([HARARE, BERLIN, LORD_HOWE, ZoneInfo("America/New_York")]),
    days=st.sets(st.sampled_from(DAYS)),
    now=st.integers(0, 365 * 86400).map(lambda seconds: START + timedelta(seconds=seconds)),
)
def test_it_always_ends_within_a_day_and_an_hour(
    begins: time, ends: time, zone: ZoneInfo, days: set[str], now: datetime
) -> None:
    hours = QuietHours(begins=begins, ends=ends, zone=zone, days=tuple(days))
    until = hours.until(now)
    if until is not None:
        assert now < until <= now + timedelta(hours=25)


def test_critical_goes_through_unless_nothing_does() -> None:
    now = at("2026-01-02T23:00:00+02:00")
    deaf = QuietHours(begins=time(21), ends=time(7), zone=HARARE, who=("rudo",), lets_through="nothing")
    assert quiet_until(RUDO, (NIGHT,), "critical", now) is None
    assert quiet_until(RUDO, (NIGHT,), "warning", now) == at("2026-01-03T06:00:00+02:00")
    assert quiet_until(RUDO, (NIGHT, deaf), "critical", now) == at("2026-01-03T07:00:00+02:00")
    other = Contact(id="c", tenant_id="ten_1", name="Chipo", channel="telegram", role=Role.ADMIN)
    assert quiet_until(other, (deaf,), "critical", now) is None
