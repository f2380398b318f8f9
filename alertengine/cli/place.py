"""Where a command works: its configuration file and data directory, from flags and the environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from alertengine.config import Settings

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="The configuration file (else ./alertengine.toml)."),
]
DataDirectory = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="PATH", help="Where the store and generated secrets live."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the flags say; `settings` adds the environment and the file."""

    config: Path | None = None
    data_dir: Path | None = None
    debug: bool = False

    def command(self, words: str) -> str:
        """`alertengine WORDS` for this very place, to be copied."""
        flags = (("--config", self.config), ("--data-dir", self.data_dir))
        given = "".join(f"{flag} {shlex.quote(str(value))} " for flag, value in flags if value)
        return f"alertengine {given}{words}"

    def overrides(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in flags.items() if value is not None}
        return given | ({"data_dir": self.data_dir} if self.data_dir else {})

    @property
    def folder(self) -> Path:
        """The data directory, whatever a configuration file says beside it."""
        from alertengine.settings.raw import data_directory

        return data_directory(os.environ, self.data_dir)

    def settings(self, flags: Mapping[str, Any] | None = None) -> Settings:
        """Raises `ConfigError` with every problem. `flags` are {"section.key": value}; None is not given."""
        from alertengine.app import load_settings

        return load_settings(self.config, os.environ, self.overrides(flags or {}))


def place(ctx: typer.Context, config: Path | None, data_dir: Path | None) -> Place:
    """A command's own options, else those before the command."""
    root = ctx.find_root().obj or Place()
    return Place(config=config or root.config, data_dir=data_dir or root.data_dir, debug=root.debug)
