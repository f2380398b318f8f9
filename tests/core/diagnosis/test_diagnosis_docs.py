"""The page about the diagnosis says what the code does."""

from pathlib import Path

from alertengine.core.diagnosis.model import CAUSES
from alertengine.core.diagnosis.weighing import ENOUGH, MARGIN, MOST

PAGE = (Path(__file__).parents[3] / "docs" / "diagnosis.md").read_text()


def test_every_cause_is_described_by_its_label() -> None:
    for cause, label in CAUSES.items():
        assert f"| `{cause}` | {label} |" in PAGE


def test_the_figures_of_the_choice_are_those_of_the_code() -> None:
    assert f"at least {ENOUGH:.0f} points and leads the second by at least {MARGIN:.0f}" in PAGE
    assert f"never above {MOST:.0%}".replace("%", " %") in " ".join(PAGE.split())
