"""`alertengine init` and `check`: the configuration."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import WRONG_USE, WrongUse
from alertengine.cli.output import say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table


def init(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Write a commented configuration with a fresh secret."""
    from alertengine.cli.template import template

    here = place(ctx, config, data_dir)
    path = Path(here.config or os.environ.get("ALERTENGINE_CONFIG") or "alertengine.toml")
    kept = here.folder / "secret"
    # Another secret than the one that sealed what is stored would make that unreadable, and end every link.
    _write(path, template(None if kept.exists() else secrets.token_urlsafe(36)), replace=force)
    if kept.exists():
        say(
            f"{kept} is in use already, so the configuration names no other; to set one, put that text there."
        )
    say(f"Wrote {path}. Look at what is in force with: alertengine check")


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Whole or not at all, with mode 0600 from its first byte on."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)  # fails where the file is there, also for one that came a moment ago
    except FileExistsError:
        raise WrongUse(f"{path} is there already; --force replaces it, secret and all.") from None
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def check(
    ctx: typer.Context, as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDirectory = None
) -> None:
    """Validate the configuration. Shows what is in force, and where each value comes from."""
    from alertengine.cli.inforce import in_force
    from alertengine.errors import ConfigError

    here = place(ctx, config, data_dir)
    try:
        settings = here.settings()
    except ConfigError as error:
        if not as_json:
            raise
        show_json({"ok": False, "problems": list(error.problems)})
        raise typer.Exit(WRONG_USE) from None
    if settings.path and settings.path.stat().st_mode & 0o077:
        say(f"{settings.path} can be read by others; if it holds secrets: chmod 600 {settings.path}")
    rows = in_force(settings, os.environ, here.overrides({}))
    path = str(settings.path.absolute()) if settings.path else None
    if as_json:
        show_json({"ok": True, "path": path, "settings": [row.to_json() for row in rows]})
        return
    show(_table(rows))
    say(f"The configuration is sound: {path or 'no file, so defaults'}.")


def _table(rows: list[Any]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    for row in rows:
        plain = row.source == "default"
        table.add_row(styled(row.key), styled(row.shown, "dim" if plain else ""), styled(row.source, "dim"))
    return table
