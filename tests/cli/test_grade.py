"""`alertengine grade`: recorded evidence, replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[2] / "examples" / "evidence"


def test_the_recorded_set_is_graded(cli: Any) -> None:
    told = cli.json("grade", str(CASES))["rules"]
    assert (told["cases"], told["wrong"]) == (len(list(CASES.glob("*.json"))), 0.0)
    # One slow database was recorded on a machine so busy that everything was late.
    assert [row["case"] for row in told["each"] if not row["right"]] == ["db_slow-2"]
    assert told["in_first_three"] == 1.0
    assert "✓ db_slow" in cli("grade", str(CASES)).stdout


def test_what_cannot_be_graded_says_so(cli: Any, tmp_path: Path) -> None:
    assert "holds no evidence" in cli("grade", str(tmp_path), code=1).stderr
    (tmp_path / "gremlins-1.json").write_text("{}")
    assert "gremlins is no cause" in cli("grade", str(tmp_path), code=1).stderr
    (tmp_path / "gremlins-1.json").unlink()
    (tmp_path / "db_slow-1.json").write_text("{}")
    assert cli.json("grade", str(tmp_path))["rules"]["right"] == 0.0
    assert "[diagnosis] provider" in cli("grade", str(tmp_path), "--model", code=1).stderr
