"""Polls in, trouble out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.detection import TREND_LENGTH, Watch, assess
from alertengine.core.diagnosis.model import FetchError
from alertengine.core.policy import Policy
from alertengine.core.snapshot import Health, read_report, unreachable
from alertengine.testing import START, critical_report, healthy_report

DOWN = unreachable(START, FetchError(kind="refused", detail="connection refused"))
BAD = read_report(START, critical_report())
GOOD = read_report(START, healthy_report())
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def watching(*snapshots: Any) -> Watch:
    watch = Watch()
    for snapshot in snapshots:
        watch = watch.see(snapshot)
    return watch


def test_nothing_known_is_no_trouble() -> None:
    assert assess(Watch(), "payments", Policy()) is None


def test_health_is_no_trouble() -> None:
    assert assess(watching(GOOD), "payments", Policy()) is None


def test_a_critical_report_is_trouble_at_once_and_says_where_and_why() -> None:
    trouble = assess(watching(BAD), "payments", Policy())

    assert trouble is not None
    assert trouble.title == "payments: POST /pay is failing"
    assert "61 %" in trouble.reason
    assert trouble.kind == "degradation"


def test_one_lost_poll_is_a_hiccup_and_two_are_an_outage() -> None:
    assert assess(watching(GOOD, DOWN), "payments", Policy()) is None
    trouble = assess(watching(GOOD, DOWN, DOWN), "payments", Policy())

    assert trouble is not None
    assert (trouble.kind, trouble.title) == ("outage", "payments cannot be reached")
    assert "connection refused" in trouble.reason
    page = read_report(START, {"hello": "world"})
    trouble = assess(watching(GOOD, page, page), "payments", Policy())
    assert trouble is not None
    assert trouble.title == "payments answers, but not with a health report"


def test_shortly_after_a_resolution_one_poll_more_is_needed() -> None:
    assert assess(watching(BAD), "payments", Policy(), cooling=True) is None
    assert assess(watching(BAD, BAD), "payments", Policy(), cooling=True) is not None


@pytest.mark.parametrize(("samples", "polls", "expected"), [(5, 5, False), (50, 1, False), (50, 2, True)])
def test_reports_of_another_sdk_need_requests_and_confirmation(
    samples: int, polls: int, expected: bool
) -> None:
    foreign = critical_report(
        metrics={"overall_p95_ms": 120.0, "error_rate": 0.5, "anomaly_score": 3.0, "sample_size": samples}
    )
    del foreign["storage"]
    watch = watching(*[read_report(START, foreign)] * polls)

    assert (assess(watch, "payments", Policy()) is not None) is expected


def test_recovery_needs_two_fresh_healthy_reports() -> None:
    later = [read_report(START + timedelta(seconds=s), healthy_report()) for s in (1, 2)]

    assert not watching(BAD, later[0]).healthy_since(START)
    assert watching(BAD, *later).healthy_since(START)
    assert not watching(BAD, *later).healthy_since(START + timedelta(seconds=1))
    assert not watching(*later, BAD).healthy_since(START)


def test_what_is_kept_is_bounded_and_keeps_one_whole_report() -> None:
    watch = watching(*[GOOD] * (TREND_LENGTH + 20))

    assert len(watch.recent) == TREND_LENGTH
    assert sum(s.report is not None for s in watch.recent) == 1


@given(JSON)
def test_any_json_at_all_is_a_clear_state(report: Any) -> None:
    snapshot = read_report(START, report)

    assert snapshot.health in Health
    assert (
        assess(watching(snapshot, snapshot, snapshot), "payments", Policy()) is None or not snapshot.healthy
    )


@pytest.mark.parametrize(
    "report", [None, [], "ok", {"status": "fine"}, {"status": None}, {"health_score": 12}, {"status": ["ok"]}]
)
def test_json_of_another_shape_is_a_service_that_cannot_be_read(report: Any) -> None:
    snapshot = read_report(START, report)

    assert snapshot.health is Health.UNREACHABLE
    assert snapshot.error is not None
    assert snapshot.error.kind == "wrong_shape"


def test_the_worse_of_both_statuses_counts() -> None:
    both = healthy_report(health_score={"score": 20.0, "status": "critical", "trend": "stable"})
    assert read_report(START, both).health is Health.CRITICAL
