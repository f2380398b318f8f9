"""`alertengine incidents`, `audit`, `deliveries`: what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from alertengine.cli.output import moment, say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table

    from alertengine.config import Settings
    from alertengine.core.events import Event, EventType, SystemEventType

IncidentId = Annotated[str, typer.Argument(metavar="ID", help="The incident, e.g. inc_4f1c…")]


def incidents(
    ctx: typer.Context,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT_ID", help="Of this tenant alone.")] = None,
    service: Annotated[str | None, typer.Option(metavar="NAME", help="Of this service alone.")] = None,
    still_open: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most this many.")] = 50,
    link: Annotated[
        bool, typer.Option("--link", help="Make a link instead, by which somebody may look at them.")
    ] = False,
    end_links: Annotated[bool, typer.Option("--end-links", help="Take such links back instead.")] = False,
    reader: Annotated[
        str | None, typer.Option("--for", metavar="CONTACT", help="Whose link it is or was.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """List incidents, newest first; or give somebody a link to a page of them, which decides nothing."""
    from alertengine.cli.client import Client, run

    if link or end_links:
        _links(place(ctx, config, data_dir).settings(), tenant, reader, end_links, as_json)
        return

    async def work(client: Client) -> dict[str, Any]:
        asked = {"tenant": tenant, "service": service, "open": still_open, "limit": limit}
        return await client.get("/local/incidents", **asked)

    found = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(found)
    elif found["incidents"]:
        show(listing(found["incidents"]))
    else:
        say("No incident is like that." if tenant or service or still_open else "There was no incident yet.")


def _links(settings: Settings, tenant: str | None, reader: str | None, end: bool, as_json: bool) -> None:
    from alertengine.cli.client import run

    body = {"tenant": tenant, "reader": reader}
    done = run(settings, lambda client: client.post(f"/local/links{'/end' if end else ''}", body))
    if as_json:
        show_json(done)
    elif end:
        say(f"{done['ended']} links open nothing any more.")
    else:
        show(done["url"])
        say(
            f"It opens for {done['life_s'] / 86400:.0f} days. Take it back: alertengine incidents --end-links"
        )


def listing(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_header=True)
    for title in ("incident", "opened", "stage"):
        table.add_column(title, no_wrap=True)
    table.add_column("what", overflow="fold")
    several = len({row["tenant_id"] for row in rows}) > 1
    for row in rows:
        table.add_row(
            styled(row["incident_id"]),
            styled(moment(row["opened_at"])[:-3], "dim"),
            styled(row["stage"], stage_style(row["stage"])),
            styled(f"{row['title']}{_whose(row, named=several)}"),
        )
    return table


def _whose(row: dict[str, Any], *, named: bool) -> str:
    """The tenant, where the rows are of several; and that nobody watches it, where it is suspended."""
    name = f" · {row.get('tenant')}" if named else ""
    return name + (" · suspended" if row.get("suspended") else "")


def stage_style(stage: str) -> str:
    return {"RESOLVED": "green", "UNKNOWN": "red", "EXPIRED": "yellow", "REJECTED": "yellow"}.get(
        stage, "bold"
    )


def audit(
    ctx: typer.Context,
    incident: IncidentId,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Tell one incident's story: every event, with who and when."""
    from alertengine.cli.client import Client, run

    async def work(client: Client) -> dict[str, Any]:
        return await client.get(f"/audit/{segment(incident)}")

    trail = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(trail)
        return
    from rich.console import Group

    from alertengine.cli.story import Story, heading

    events = read_events(trail)
    show(Group(heading(events, trail["stage"]), Story(events)))


def read_events(trail: dict[str, Any]) -> list[Event]:
    """The events of a trail as the API tells it."""
    from alertengine.core.events import Event
    from alertengine.core.model import Actor, parse_time

    return [
        Event(
            **{
                **raw,
                "tenant_id": trail["tenant_id"],
                "incident_id": trail["incident_id"],
                "at": parse_time(raw["at"]),
                "type": _type(raw["type"]),
                "actor": Actor(**raw["actor"]),
            }
        )
        for raw in trail["events"]
    ]


def _type(name: str) -> EventType | SystemEventType:
    """The bare name of one that only a newer daemon knows."""
    from alertengine.core.events import event_type

    try:
        return event_type(name)
    except ValueError:
        return cast("EventType", name)


def segment(identifier: str) -> str:
    """What somebody typed, as one segment of a path."""
    from urllib.parse import quote

    return quote(identifier, safe="")


def deliveries(
    ctx: typer.Context,
    incident: IncidentId,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Show every attempt to deliver an incident's messages."""
    from alertengine.cli.client import Client, run

    async def work(client: Client) -> dict[str, Any]:
        return await client.get(f"/delivery/{segment(incident)}")

    log = run(place(ctx, config, data_dir).settings(), work)
    if as_json:
        show_json(log)
    elif log["attempts"]:
        show(attempts(log["attempts"]))
    else:
        say("Nothing was sent about this incident.")


def attempts(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("at", "message", "to", "by"):
        table.add_column(title, no_wrap=True)
    table.add_column("try", justify="right")
    table.add_column("outcome", no_wrap=True)
    table.add_column("detail", overflow="fold")
    styles = {"accepted": "green", "failed": "yellow", "dead": "red"}
    for row in rows:
        table.add_row(
            styled(moment(row["at"]), "dim"),
            styled(row["message"].replace("_", " ")),
            styled(row["contact"]),
            styled(row["channel"]),
            styled(row["attempt"]),
            styled(row["outcome"], styles.get(row["outcome"], "")),
            styled(row["error"] or row["provider_message_id"], "dim"),
        )
    return table
