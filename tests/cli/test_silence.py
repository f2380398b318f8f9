"""`alertengine silence`."""

from __future__ import annotations

import pytest

from cli.conftest import Cli


def test_a_silence_is_set_listed_shown_and_taken_back(cli: Cli) -> None:
    cli.onboard()
    assert "Nothing is silenced." in cli("silence", "list").stderr
    said = cli("silence", "add", "--for", "1h30m", "--reason", "deploying 1.4.2", "--service", "pay*")
    assert "Quiet until" in said.stderr
    identity = said.stdout.strip()
    assert "deploying 1.4.2" in cli("silence", "list").stdout
    (row,) = cli.json("silence", "list")["silences"]
    assert (row["silence_id"], row["service"]) == (identity, "pay*")
    assert "1 silence" in cli("status").stdout
    assert "is over" in cli("silence", "remove", identity).stderr
    assert cli.json("silence", "list") == {"silences": []}
    assert "There is no silence" in cli("silence", "remove", identity, code=1).stderr


@pytest.mark.parametrize(
    "flags",
    [
        ["--for", "1h", "--until", "2026-01-31T06:00"],
        [],
        ["--for", "soon"],
        ["--for", ""],
        ["--until", "tomorrow"],
    ],
)
def test_wrong_ends_are_wrong_use(cli: Cli, flags: list[str]) -> None:
    cli.onboard()
    assert cli("silence", "add", "--reason", "x", *flags, code=2).stderr
