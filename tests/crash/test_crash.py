"""The kills of `killing.py`, a few of them; run it by itself for hundreds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import Harness, died_within, injected, may_trace, random_kills

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crash")]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.delenv("ALERTENGINE_CONFIG", raising=False)
    harness = Harness(tmp_path, random.Random(20261124))
    yield harness
    harness.close()


def test_a_killed_daemon_loses_nothing_and_runs_nothing_twice(harness: Harness) -> None:
    random_kills(harness, 3)
    assert harness.violations == []
    assert harness.tally["kills"] == 3


@pytest.mark.skipif(not may_trace(), reason="strace is not here, or may not trace")
@pytest.mark.parametrize(("call", "n"), [("fdatasync", 1), ("fdatasync", 2), ("execve", 1)])
def test_a_kill_at_a_named_call_is_survived(harness: Harness, call: str, n: int) -> None:
    def kill(case):  # type: ignore[no-untyped-def]
        harness.receive(case)
        with injected(harness.daemon, call, f"signal=KILL:when={n}"):
            case.confirmed = harness.confirm(case)
            if not died_within(harness.daemon, 3.0):
                harness.daemon.kill()

    harness.kill_once(kill)
    assert harness.violations == []
