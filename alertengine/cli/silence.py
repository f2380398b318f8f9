"""`alertengine silence`: keep a service quiet for a while, on the record."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import WrongUse
from alertengine.cli.output import moment, say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table

    from alertengine.cli.client import Client

app = typer.Typer(
    help="Silences and maintenance windows: nobody is called, everything is recorded.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Tenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="TENANT_ID", help="May be left out where there is one alone."),
]
Json = dict[str, Any]
LONGEST = timedelta(days=90)
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@app.command("add")
def add(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; others read it.")],
    span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="How long: 90m, 2h, 1d12h.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Or its end: 2026-01-31T06:00 here, or with a zone."),
    ] = None,
    starts: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="A maintenance window: when it begins.")
    ] = None,
    service: Annotated[
        str, typer.Option("--service", metavar="PATTERN", help="The service's name, with *.")
    ] = "*",
    route: Annotated[
        str, typer.Option("--route", metavar="PATTERN", help='Only incidents of such a route: "POST /pay*".')
    ] = "*",
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Keep incidents quiet until an end. They are opened and recorded; what is broken at the end is told then."""
    if (span is None) == (until is None):
        raise WrongUse("give its end: --for or --until, not both")
    body = {
        "reason": reason,
        "service": service,
        "route": route,
        "starts_at": given_time("--from", starts),
        "until": given_time("--until", until),
        "for_s": _seconds(span) if span else None,
        "operator": getpass.getuser()[:80],
    }

    from alertengine.cli.client import run
    from alertengine.cli.tenants import meant

    async def work(client: Client) -> Json:
        given = {key: value for key, value in body.items() if value is not None}
        path = f"/tenant/{await meant(client, tenant)}"
        made = await client.post(f"{path}/silences", given)
        names = [one["service"] for one in (await client.get(f"{path}/services"))["services"]]
        return {
            **made,
            "matches": [name for name in names if fnmatchcase(name.casefold(), service.casefold())],
        }

    made = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(made)
    else:
        show(styled(made["silence_id"]))
        say(f"Quiet until {moment(made['until'])[:-3]}. Everything is still watched and recorded.")
    if not made["matches"]:
        say(f"No service is called so now, so this keeps nothing quiet: --service {service}")


@app.command("list")
def listed(
    ctx: typer.Context,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """List the silences that are not over, also those that have not begun."""
    from alertengine.cli.client import run
    from alertengine.cli.tenants import meant

    async def work(client: Client) -> Json:
        return await client.get(f"/tenant/{await meant(client, tenant)}/silences")

    found = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(found)
    elif found["silences"]:
        show(_table(found["silences"]))
    else:
        say("Nothing is silenced.")


@app.command("remove")
def remove(
    ctx: typer.Context,
    silence: Annotated[str, typer.Argument(metavar="ID", help="The silence, e.g. sil_4f1c…")],
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """End a silence now. What it kept quiet and is still broken is told."""
    from alertengine.cli.client import run
    from alertengine.cli.incidents import segment
    from alertengine.cli.tenants import meant

    async def work(client: Client) -> Json:
        path = f"/tenant/{await meant(client, tenant)}/silences/{segment(silence)}/remove"
        return await client.post(path, {"operator": getpass.getuser()[:80]})

    done = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(done)
    else:
        say(f"{silence} is over.")


def _seconds(span: str) -> int:
    found = _SPAN.fullmatch(span.strip())
    if not found or not any(found.groups()):
        raise WrongUse(f"--for {span}: give days, hours, minutes or seconds, e.g. 90m, 2h or 1d12h")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > LONGEST.total_seconds():
        raise WrongUse(f"--for {span}: {LONGEST.days} days at most")
    return total


def given_time(flag: str, given: str | None) -> str | None:
    """A time without a zone is one on this machine's wall."""
    if given is None:
        return None
    try:
        return datetime.fromisoformat(given).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise WrongUse(f"{flag} {given}: give a time, e.g. 2026-01-31T06:00") from None


def _table(rows: list[Json]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("id", "until", "what"):
        table.add_column(title, no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in rows:
        what = row["service"] if row["route"] == "*" else f"{row['service']}: {row['route']}"
        until = styled(moment(row["until"])[:-3], "dim")
        table.add_row(styled(row["silence_id"]), until, styled(what), styled(_why(row)))
    return table


def _why(row: Json) -> str:
    return f"{row['reason']} ({row['by']}, from {moment(row['starts_at'])[:-3]})"
