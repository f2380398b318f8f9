"""`alertengine doctor`: everything it depends on, tried for real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from alertengine.cli.failure import NOT_SO
from alertengine.cli.output import say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


def doctor(
    ctx: typer.Context, as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDirectory = None
) -> None:
    """Try everything it depends on. Store, channels, services, base URL, clock, people; nobody gets a message."""
    from alertengine.cli.client import Client, run

    async def work(client: Client) -> dict[str, Any]:
        return {**await client.get("/local/doctor"), "daemon": client.has_daemon}

    here = place(ctx, config, data_dir)
    seen = run(here.settings(), work)
    if not seen["daemon"]:
        say(f"No daemon runs, so nothing is watched: {here.command('serve')}")
    if as_json:
        show_json(seen)
    else:
        show(_table(seen["checks"]))
        say(_verdict(seen["checks"]))
    if not seen["ok"]:
        raise typer.Exit(NOT_SO)


def _table(checks: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        sign, colour = _SIGNS[check["state"]]
        table.add_row(styled(sign, colour), styled(check["name"]), styled(check["detail"]))
        if check["remedy"]:
            table.add_row("", "", styled(f"→ {check['remedy']}", colour))
    return table


def _verdict(checks: list[dict[str, Any]]) -> str:
    failed = [check["name"] for check in checks if check["state"] == "failed"]
    warned = [check["name"] for check in checks if check["state"] == "warning"]
    if failed:
        return f"Fails: {', '.join(failed)}."
    return f"Works, with a word of warning: {', '.join(warned)}." if warned else "Everything answers."
