"""Polls in, trouble out."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.cost import Value, cost
from alertengine.core.detection import TREND_LENGTH, Watch, assess
from alertengine.core.diagnosis.model import FetchError
from alertengine.core.diagnosis.rules import diagnose
from alertengine.core.incident import fold
from alertengine.core.language import words
from alertengine.core.letter import Letter, compose
from alertengine.core.message import MessageKind
from alertengine.core.policy import Policy
from alertengine.core.snapshot import Health, read_report, unreachable
from alertengine.core.toll import Toll
from alertengine.core.trouble import began
from alertengine.pipeline.findings import finding_json
from alertengine.testing import START, critical_report, detected, diagnosed, healthy_report, make_events

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


LEAVES = JSON | st.sampled_from(
    [
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00",
        "2026-01-02T03:03:50Z",
        1e12,
        5e-324,
        -1.0,
        10**400,
        math.nan,
    ]
)
PLACES = [
    *(("alerts", 0, key) for key in ("type", "message", "route", "value", "usual", "since")),
    *(("metrics", key) for key in ("window_s", "sample_size", "overall_p95_ms", "error_rate")),
    *(("routes", 0, key) for key in ("route", "sample_size", "error_rate")),
    ("alerts", 0),
    ("alerts",),
    ("metrics",),
    ("routes",),
    ("health_score",),
    ("evidence",),
]


@given(st.dictionaries(st.sampled_from(PLACES), LEAVES, min_size=1, max_size=4))
def test_a_report_with_any_wrong_parts_is_told_to_people(parts: dict[tuple[Any, ...], Any]) -> None:
    report = critical_report(routes=[{"route": "POST /pay", "sample_size": 40, "error_rate": 0.5}])
    for path in sorted(parts, key=len, reverse=True):
        place: Any = report
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = parts[path]
    at = START + timedelta(minutes=5)
    snapshot = read_report(at, report)
    trouble = assess(watching(*[snapshot] * 4), "payments", Policy(min_score_to_alert=1e12))
    assert trouble is not None or not snapshot.judged
    if trouble is None:
        return
    found = detected(**trouble.to_json(snapshot))
    incident = fold(make_events(found, diagnosed(**finding_json(diagnose(report)))))
    values = {"POST /pay": Value(noun="payments", amount=1.0, currency="USD")}
    toll = Toll().see(START, report, values).about(began(incident)).see(at, report, values)
    letter = Letter(
        recipient="T",
        now=at,
        queued_at=at,
        words=words("fr"),
        cost=cost(toll, values, began(incident), at),
    )
    for kind in (MessageKind.ALERT, MessageKind.DIAGNOSIS):
        assert compose(kind, incident, letter).title


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
