"""What was not used rightly is told in words that help, never in those of a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WRONG = [
    (["people", "email", "Tariro", "notmail"], 2, "give a mailbox, e.g. tariro@example.com"),
    (["silence", "add", "--reason", "x", "--for", "100d"], 2, "--for 100d: 90 days at most"),
    (["contacts", "add", "Foo"], 2, "Foo: give NAME=ADDRESS"),
    (["verify", "Nobody", "123456"], 1, "No contact Nobody waits for a code"),
    (["close", "inc_nope"], 1, "There is no incident inc_nope."),
    (["approve", "inc_nope"], 1, "There is no incident inc_nope."),
    (["backup", "/nonexistent/x"], 1, "/nonexistent/x cannot be written (No such file or directory)."),
    (["restore", "page.html"], 2, "page.html is no backup of AlertEngine: give a file"),
    (["restore", "nowhere"], 2, "nowhere cannot be read (No such file or directory)"),
    (["ledger", "verify-bundle", "page.html"], 1, "no bundle inside"),
    (["ledger", "verify-bundle", "page.html", "--vkey", "nonsense"], 2, "--vkey: "),
    (["services", "change", "payments", "--service-secret", "@nowhere"], 2, "nowhere"),
]


def test_the_doctor_says_that_nothing_is_watched_without_a_daemon(cli: Any) -> None:
    cli.onboard()
    assert "No daemon runs, so nothing is watched" in cli("doctor", code=1).stderr


def test_it_is_told_in_plain_words(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>Hello")
    cli.onboard()
    for command, status, words in WRONG:
        place = ["--data-dir", str(tmp_path / "empty")] if command[0] == "restore" else []
        result = cli(*command, *place, code=status)
        assert words in result.stderr, (command, result.stderr)
        assert result.stdout == ""
        for leak in ("Error(", "pattern", "itself failed", "None"):
            assert leak not in result.stderr, command


@pytest.mark.parametrize("pattern", ["paymnts", "payments"])
def test_a_silence_that_matches_nothing_is_warned_of(cli: Any, pattern: str) -> None:
    cli.onboard()
    said = cli("silence", "add", "--reason", "x", "--for", "1h", "--service", pattern).stderr
    assert ("No service is called so now" in said) is (pattern == "paymnts")
