"""docs/ledger.md says what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertengine.core.events import SystemEventType
from alertengine.core.mode import Mode
from alertengine.ledger import bundle
from alertengine.store.backup import KEPT

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text()


@pytest.mark.parametrize("word", [*SystemEventType, *Mode, bundle.FORMAT, KEPT[0], KEPT[1]])
def test_is_documented(word: str) -> None:
    assert f"`{word}`" in TEXT


def test_every_key_of_a_bundle_is_documented() -> None:
    empty = bundle.Bundle("t_1", "inc_1", b"", (), ())
    for key in bundle._to_json(empty):
        assert f"`{key}`" in TEXT
