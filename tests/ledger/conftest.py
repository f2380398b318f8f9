from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_file import File

from alertengine.core.events import EventType
from alertengine.ledger import nodes, verify, walk
from alertengine.store import log


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A milestone every four entries, and every hash kept, so that small logs have some."""
    for module in (walk, verify, log):
        monkeypatch.setattr(module, "MILESTONE_EVERY", 4)
    for module in (walk, nodes, log):
        monkeypatch.setattr(module, "LOWEST_KEPT", 1)


@pytest.fixture
def file(tmp_path: Path, often: None) -> Iterator[File]:
    file = File(tmp_path / "a.db")
    yield file
    file.close()


@pytest.fixture
def filled(file: File) -> File:
    """Two tenants; the incidents of the first go on side by side."""
    file.incident("t_1", "inc_a", 4)
    file.incident("t_1", "inc_b", 3)
    file.event("t_1", "inc_a", EventType.ALERT_FAILED)
    file.incident("t_2", "inc_c", 2)
    return file
