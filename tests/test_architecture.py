"""The picture in ARCHITECTURE.md cannot drift from the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "alertengine"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "sdk" / "fastapi_alertengine").rglob("*.py")])


@pytest.mark.slow
def test_imports_go_down_only() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 60]

    catalogue = path.parent.name == "languages"  # data: a line for each sentence
    assert catalogue or text.count("\n") <= 400
    assert long == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_one_file_reads_the_clock_and_one_edge_the_environment(path: Path) -> None:
    text = path.read_text()
    if path.name != "clock.py":
        assert not re.search(r"\b(time\.time|time\.monotonic|datetime\.now|datetime\.utcnow)\(", text)
    if path.parent.name not in ("cli", "demo"):
        assert "os.environ" not in text


def test_neither_side_imports_the_other() -> None:
    daemon = [p for p in PACKAGE.rglob("*.py") if p.parent.name != "demo"]
    sdk = (ROOT / "sdk" / "fastapi_alertengine").rglob("*.py")

    assert [p for p in daemon if "import fastapi_alertengine" in p.read_text()] == []
    assert [p for p in sdk if re.search(r"^\s*(from|import) alertengine\b", p.read_text(), re.M)] == []
