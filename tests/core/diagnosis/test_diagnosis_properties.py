"""Whatever a report holds, a finding comes out: bounded, printable, with causes of the list."""

import copy
import time
import unicodedata
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_faults import MAKERS, scenario

from alertengine.core.diagnosis.model import CAUSES, EvidenceItem, FetchError, Finding
from alertengine.core.diagnosis.rules import diagnose

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(
        ["2026-11-24T09:41:00Z", "0001-01-01T00:00:00+23:59", "\x1b[31mred\u202e", "429", "timeout"]
    )
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
QUICK = settings(max_examples=120, deadline=None)


def texts(finding: Finding) -> list[str]:
    evidence = [part for item in finding.evidence for part in (item.id, item.text)]
    return [finding.summary, finding.check_first, finding.route or "", finding.dependency or "", *evidence]


def check(finding: Finding) -> None:
    assert finding.cause in CAUSES
    assert 0.0 <= finding.confidence <= 1.0
    assert len(finding.summary) <= 400
    assert len(finding.check_first) <= 200
    assert len(finding.evidence) <= 6
    assert all(isinstance(item, EvidenceItem) and len(item.text) <= 160 for item in finding.evidence)
    names = [name for name, _ in finding.alternatives]
    assert len(names) == len(set(names)) <= 2
    assert finding.cause not in names
    assert set(names) <= set(CAUSES)
    for text in texts(finding):
        assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text), ascii(
            text
        )


@QUICK
@given(JSON)
def test_any_json_gives_a_finding(report: Any) -> None:
    check(diagnose(report))


@QUICK
@given(st.fixed_dictionaries({"evidence": st.dictionaries(
    st.sampled_from(["exceptions", "dependencies", "runtime", "traffic", "routes", "marks", "window_s"]), JSON
)}))  # fmt: skip
def test_any_evidence_gives_a_finding(report: Any) -> None:
    check(diagnose(report))


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return found + [path for key, inner in entries for path in paths(inner, (*at, key))]


@QUICK
@given(
    st.sampled_from(sorted(MAKERS)),
    st.lists(st.tuples(st.randoms(use_true_random=False), JSON), min_size=1, max_size=6),
)
def test_a_report_with_wrong_parts_gives_a_finding(cause: str, changes: list[tuple[Any, Any]]) -> None:
    report = copy.deepcopy(REPORTS[cause])
    for rng, replacement in changes:
        path = rng.choice(paths(report))
        place: Any = report
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = replacement
    check(diagnose(report))


@QUICK
@given(st.text(max_size=20), st.text(max_size=400), st.none() | st.integers())
def test_any_fetch_error_gives_a_finding(kind: str, detail: str, status: int | None) -> None:
    check(diagnose(None, FetchError(kind=kind, detail=detail, status=status)))


@QUICK
@given(st.sampled_from(sorted(MAKERS)))
def test_the_same_report_gives_the_same_finding(cause: str) -> None:
    assert diagnose(REPORTS[cause]) == diagnose(copy.deepcopy(REPORTS[cause]))


def test_a_report_made_to_be_expensive_costs_little() -> None:
    codes = {str(code): 1 for code in range(2000)}
    calls = [
        {"kind": "http", "name": f"d{n}" * 50, "codes": codes, "fail_rate": 1, "count": 9} for n in range(500)
    ]
    routes = [{"route": f"/{n}" * 40, "status": codes, "error_rate": 0.5} for n in range(500)]
    raised = [{"type": "X" * 500, "message": "a@b.c 4111 " * 500, "count": 5} for _ in range(500)]
    report = {
        "evidence": {"exceptions": raised, "dependencies": calls, "routes": routes},
        "alerts": [{}] * 5000,
    }
    began = time.process_time()
    check(diagnose(report))
    assert time.process_time() - began < 2.0


REPORTS = {cause: scenario(cause, 1) for cause in MAKERS}
