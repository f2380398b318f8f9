"""How often the rules are right about made-up applications, and how often they are wrong rather than unsure."""

from collections import Counter
from functools import cache
from typing import Any

import other_shapes
import pytest
from synthetic_faults import MAKERS, scenario

from alertengine.core.diagnosis.model import UNCLEAR, Finding
from alertengine.core.diagnosis.rules import diagnose

SEEDS = range(1000, 1024)
NEEDED = {
    "upstream_5xx": "dependencies",
    "upstream_throttle": "dependencies",
    "db_slow": "dependencies",
    "pool_exhaustion": "dependencies",
    "app_exception": "exceptions",
    "disk_full": "exceptions",
    "loop_block": "runtime",
    "cpu_hog": "runtime",
    "memory_leak": "runtime",
}


@cache
def findings(cause: str) -> tuple[Finding, ...]:
    return tuple(diagnose(scenario(cause, seed)) for seed in SEEDS)


def graded(cause: str) -> Counter[str]:
    marks: Counter[str] = Counter()
    for finding in findings(cause):
        marks["right"] += finding.cause == cause
        marks["first three"] += cause == finding.cause or cause in dict(finding.alternatives)
        marks["wrong"] += finding.cause not in (cause, UNCLEAR)
    return marks


def test_right_often_enough_and_seldom_wrong() -> None:
    total = sum((graded(cause) for cause in MAKERS), Counter())
    count = len(MAKERS) * len(SEEDS)
    assert total["right"] / count >= 0.95, total
    assert total["first three"] / count >= 0.99, total
    assert total["wrong"] / count <= 0.01, total


def test_right_as_often_about_applications_and_faults_of_other_shapes() -> None:
    marks: Counter[str] = Counter()
    for cause in other_shapes.MAKERS:
        for seed in SEEDS[:8]:
            found = diagnose(other_shapes.scenario(cause, seed))
            marks["right" if found.cause == cause else "unclear" if found.cause == UNCLEAR else "wrong"] += 1
            marks["first three"] += cause == found.cause or cause in dict(found.alternatives)
    count = marks["right"] + marks["unclear"] + marks["wrong"]
    assert marks["right"] / count >= 0.90, marks
    assert marks["first three"] / count >= 0.98, marks
    assert marks["wrong"] / count <= 0.03, marks


@pytest.mark.parametrize("cause", sorted(MAKERS))
def test_no_cause_is_left_behind(cause: str) -> None:
    marks = graded(cause)
    assert marks["right"] / len(SEEDS) >= 0.8, marks


def without_usual(value: Any) -> Any:
    """The same report of a process that knows nothing from before."""
    if isinstance(value, dict):
        return {key: None if key == "usual" else without_usual(inner) for key, inner in value.items()}
    return [without_usual(inner) for inner in value] if isinstance(value, list) else value


def test_without_usual_values_it_is_more_often_unsure_than_wrong() -> None:
    marks: Counter[str] = Counter()
    for cause in MAKERS:
        for seed in SEEDS[:8]:
            found = diagnose(without_usual(scenario(cause, seed))).cause
            marks["right" if found == cause else "unclear" if found == UNCLEAR else "wrong"] += 1
    assert marks["right"] / marks.total() >= 0.75, marks
    assert marks["wrong"] / marks.total() <= 0.08, marks


def test_confidence_means_something() -> None:
    sure = [
        finding.cause == cause
        for cause in MAKERS
        for finding in findings(cause)
        if finding.confidence >= 0.85
    ]
    assert len(sure) > 100
    assert sum(sure) / len(sure) >= 0.95


@pytest.mark.parametrize("cause", sorted(NEEDED))
def test_without_the_part_that_matters_it_says_so_rather_than_guess(cause: str) -> None:
    wrong = 0
    for seed in SEEDS:
        report = scenario(cause, seed)
        report["evidence"].pop(NEEDED[cause], None)
        wrong += diagnose(report).cause not in (cause, UNCLEAR)
    assert wrong / len(SEEDS) <= 0.15


def test_a_fault_that_begins_with_the_traffic_is_not_taken_for_the_traffic() -> None:
    marks: Counter[str] = Counter()
    for cause in sorted(MAKERS.keys() - {"traffic_surge", "no_traffic"}):
        for seed in SEEDS[:12]:
            found = diagnose(scenario(cause, seed, begins=True))
            marks["right" if found.cause == cause else "unclear" if found.cause == UNCLEAR else "wrong"] += 1
            marks["first three"] += cause == found.cause or cause in dict(found.alternatives)
    count = marks["right"] + marks["unclear"] + marks["wrong"]
    assert marks["right"] / count >= 0.90, marks
    assert marks["first three"] / count >= 0.98, marks
    assert marks["wrong"] / count <= 0.03, marks


def test_a_neighbour_that_fails_by_a_code_of_its_own_from_the_first_request_on() -> None:
    """A service that nobody used yet, and a cache that answers stale prices."""
    route = {
        "route": "GET /price/{item}",
        "sample_size": 60,
        "p95_ms": 11.0,
        "error_rate": 1.0,
        "status": {"503": 60},
    }
    cache = {
        "kind": "cache",
        "name": "prices",
        "count": 54,
        "fail_rate": 1.0,
        "codes": {"stale": 54},
        "p95_ms": 10.0,
    }
    for usual in (0.0, 1.25):
        traffic = {"rps": 13.8, "rps_matched": 13.8, "usual": {"rps": usual, "rps_matched": usual}}
        evidence = {
            "exceptions": [],
            "dependencies": [cache],
            "routes": [route],
            "traffic": traffic,
            "marks": [],
        }
        found = diagnose({"status": "critical", "evidence": evidence})
        assert (found.cause, found.dependency) == ("upstream_5xx", "cache prices")
