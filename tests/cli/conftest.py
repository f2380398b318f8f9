"""The command line with a data directory and an environment of its own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alertengine.cli.main import app


@dataclass
class Cli:
    """`cli("status")` runs a command on `data`; it must end with `code`."""

    data: Path

    def __call__(self, *args: str, code: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, ["--data-dir", str(self.data), *args], input=input)
        assert result.exit_code == code, f"exit {result.exit_code}: {result.stderr}\n{result.stdout}"
        assert "Traceback" not in result.stderr
        return result

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self(*args, "--json", code=code).stdout)

    def onboard(self, *args: str) -> Any:
        """A service that nobody answers for; the console reaches Tariro."""
        given = (
            "--service",
            "payments",
            "--health-url",
            "http://127.0.0.1:1/health/alerts",
            "--contact",
            "Tariro=",
        )
        return self.json("onboard", *given, *args)

    def rehearse(self) -> str:
        """The id of a test incident that waits for a decision."""
        self.onboard()
        incident: str = self.json("test")["incident_id"]
        return incident


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    for name in list(os.environ):
        if name.startswith(("ALERT", "TWILIO_", "SENT_", "XDG_")) or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "data")
