"""One recorded fault for each cause, from a real application."""

import json
from pathlib import Path

import pytest
from recorded_evidence import to_report

from alertengine.core.diagnosis.rules import diagnose

CASES = Path(__file__).parents[4] / "shared" / "diagnosis" / "cases"
FILES = sorted(CASES.glob("*.json"))


@pytest.mark.skipif(not FILES, reason="the recorded evidence is not beside this repository")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_names_the_injected_cause(path: Path) -> None:
    case = json.loads(path.read_text())
    finding = diagnose(to_report(case["evidence"]))
    assert finding.cause == case["truth"], finding
    assert finding.confidence >= 0.8
    assert finding.evidence
