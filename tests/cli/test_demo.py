"""README's first command: the whole loop, with a real app that really breaks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("alertengine")


@pytest.mark.slow
def test_the_demo_resolves_wherever_it_is_called_from_and_leaves_nothing(tmp_path: Path) -> None:
    names = ["random.py", "re.py"]
    for name in names:
        (tmp_path / name).write_text("raise SystemExit('taken for a module of Python')")
    done = subprocess.run(
        [COMMAND, "demo", "--yes", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["resolved"]
    assert told["ledger"]["verified"]
    assert told["durations"]["alerted_s"] < told["durations"]["resolved_s"]
    kinds = [event["type"] for event in told["events"]]
    for kind in ("incident_detected", "recovery_authorized", "recovery_succeeded", "incident_resolved"):
        assert kinds.count(kind) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == names
