"""`alertengine dlq`: messages that could not be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.output import moment, say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Messages that could not be delivered.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def listed(
    ctx: typer.Context,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT_ID", help="Of this tenant alone.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most this many.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """List the dead letters, newest first, each with its reason."""
    from alertengine.cli.client import Client, run

    async def work(client: Client) -> dict[str, Any]:
        return await client.get("/dlq", tenant_id=tenant, limit=limit)

    found = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(found)
    elif found["dead_letters"]:
        show(_table(found["dead_letters"]))
    else:
        say("There is no dead letter.")


@app.command("retry")
def retry(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="ID", help="The dead letter, e.g. msg_4f1c…")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Try a dead letter again, with all its tries before it."""
    from alertengine.cli.client import Client, run
    from alertengine.cli.incidents import segment

    async def work(client: Client) -> dict[str, Any]:
        return await client.post(f"/dlq/{segment(letter)}/retry")

    done = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(done)
    else:
        say(f"{letter} is tried again.")


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("id", "at", "to", "by"):
        table.add_column(title, no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in rows:
        table.add_row(
            styled(row["id"]),
            styled(moment(row["at"])[:-3], "dim"),
            styled(row["contact"]),
            styled(row["channel"]),
            styled(f"{row['message']}: {row['reason']}"),
        )
    return table
