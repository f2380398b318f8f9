"""The documents that are drawn from the code are current and complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertengine import registry
from alertengine.cli.main import COMMANDS
from alertengine.cli.meanings import sections
from alertengine.cli.reference import texts, write

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", ["docs/cli.md", "docs/configuration.md", "alertengine.toml.example"])
def test_current(file: str) -> None:
    """Where this fails: `python -m alertengine.cli.reference` in the repository writes them anew."""
    assert (ROOT / file).read_text(encoding="utf-8") == texts()[file]


def test_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## `alertengine {name}" not in text] == []


def test_every_key_is_in_the_documentation() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    models = {f"## `[{name}]`": model for name, model in sections().items()}
    for table in (registry.CHANNELS, registry.ACTIONS):
        models |= {f"### `{kind}`": registry.config_model(table, kind) for kind in table}
    for title, model in models.items():
        part = text.partition(f"{title}\n")[2].partition("\n##")[0].partition("\n###")[0]
        for name, field in model.model_fields.items():
            assert f"| `{field.alias or name}` |" in part, f"{title}: {name}"


def test_written_once_it_stays(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == 3
    assert write(tmp_path) == []
