"""`alertengine backup` and `alertengine restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alertengine.cli.output import say, show_json
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from alertengine.config import Settings
    from alertengine.store.backup import Place

File = Annotated[Path, typer.Argument(metavar="FILE")]


def backup(
    ctx: typer.Context,
    file: File,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Write a backup of the store and the keys, also while the daemon runs. Keep it as safe as a key."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.cli.failure import NotSo
    from alertengine.clock import SystemClock
    from alertengine.store.backup import back_up

    if not settings.store_path.exists():
        raise NotSo(f"There is no store at {settings.store_path}: nothing was recorded there yet.")
    try:
        report = back_up(_place(settings), file, SystemClock().now())
    except OSError as error:
        raise NotSo(f"{file} cannot be written ({error.strerror}).") from error
    if as_json:
        show_json({"file": str(file), "size": report.size, "verified": report.verified})
    else:
        say(f"{file}: {report.size} ledger entries, verified. It holds secrets: keep it as safe as a key.")


def restore(
    ctx: typer.Context,
    file: File,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Fill an empty data directory from a backup. Links sent before the restore no longer work."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.clock import SystemClock
    from alertengine.store.backup import restore

    report = restore(_place(settings), file, SystemClock().now())
    if as_json:
        show_json({"data_dir": str(settings.data_dir), "size": report.size, "verified": report.verified})
    else:
        say(f"{settings.data_dir}: {report.size} ledger entries, verified. Links sent before no longer work.")


def _place(settings: Settings) -> Place:
    from alertengine.store.backup import Place

    return Place(settings.data_dir, settings.store_path, settings.mark_path)
