"""The frame of the command line: quick help, exit statuses, no traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from alertengine import __version__
from alertengine.cli import status
from alertengine.cli.client import Problem
from alertengine.cli.failure import NotSo, WrongUse, status_of
from alertengine.cli.main import COMMANDS, app
from alertengine.errors import (
    ConfigError,
    DaemonUnreachable,
    DataDirectoryHeld,
    NotFound,
    StoreUnavailable,
)

HEAVY = {"fastapi", "uvicorn", "pydantic", "httpx2", "cryptography", "jwt", "rich", "apscheduler", "sqlite3"}


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, alertengine.cli.main; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in ran.stdout.split()} & HEAVY == set()


def test_version(cli: Callable[..., Any]) -> None:
    assert cli("--version").stdout == f"alertengine {__version__}\n"


def test_every_command_has_help(cli: Callable[..., Any]) -> None:
    shown = cli("--help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in shown
        assert "Usage:" in cli(name, "-h").stdout


@pytest.mark.parametrize("args", [["nope"], ["audit"], ["status", "--nope"], ["incidents", "--limit", "0"]])
def test_wrong_use_is_2(cli: Callable[..., Any], args: list[str]) -> None:
    result = cli(*args, code=2)
    assert result.stdout == ""
    assert result.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigError(["a: b"]), 2),
        (WrongUse("x"), 2),
        (Problem(422, "INVALID", "x"), 2),
        (NotSo("x"), 1),
        (NotFound(), 1),
        (Problem(404, "NOT_FOUND", "x"), 1),
        (Problem(409, "NOT_AWAITING_APPROVAL", "x"), 1),
        (StoreUnavailable(), 1),
        (ValueError("x"), 1),
        (DataDirectoryHeld(), 75),
        (DaemonUnreachable(), 75),
    ],
)
def test_exit_statuses(error: Exception, expected: int) -> None:
    assert status_of(error) == expected


def broken(error: BaseException) -> Callable[..., None]:
    def run(*_: Any) -> None:
        raise error

    return run


def test_an_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    monkeypatch.setattr("alertengine.cli.client.run", broken(ValueError("two\nlines \x1b[31m")))
    said = cli("status", code=1).stderr

    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert "ValueError: two lines" in said
    assert "--debug" in said


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("alertengine.cli.client.run", broken(ValueError("x")))
    result = CliRunner().invoke(app, ["--debug", "--data-dir", str(tmp_path), "status"])
    assert "Traceback" in result.stderr


def test_control_c_is_silent(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    monkeypatch.setattr("alertengine.cli.client.run", broken(KeyboardInterrupt()))
    result = cli("incidents", code=130)
    assert result.stdout == ""


def test_a_reader_that_went_away_is_no_error(
    monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> None:
    monkeypatch.setattr(status, "show_json", broken(BrokenPipeError(32, "Broken pipe")))
    assert cli("status", "--json", code=1).stderr.count("\n") <= 1


def test_a_pipe_that_closes_early_leaves_no_trace(cli: Any) -> None:
    command = [sys.executable, "-c", "from alertengine.cli.main import main; main()", "check"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_options_stand_before_or_after_the_command(cli: Any, tmp_path: Any) -> None:
    after = CliRunner().invoke(app, ["check", "--json", "--data-dir", str(cli.data)])
    assert after.stdout == cli("check", "--json").stdout
