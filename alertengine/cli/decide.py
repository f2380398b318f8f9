"""`alertengine preview`, `approve`, `reject`, `close`: the operator's own decisions at the terminal."""

from __future__ import annotations

import asyncio
import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NOT_SO, NotSo, WrongUse
from alertengine.cli.incidents import IncidentId, read_events, segment
from alertengine.cli.output import can_ask, confirm, say, show, show_json, talk_console, visible
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.text import Text

    from alertengine.cli.client import Client

LOOK_AGAIN_S = 0.5
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What to record with it.")]
Json = dict[str, Any]


def preview(
    ctx: typer.Context,
    incident: IncidentId,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Show what the proposed recovery would do. Changes nothing but the record that you looked."""
    from alertengine.cli.client import run

    seen = run(place(ctx, config, data_dir).settings(), lambda client: _act(client, incident, "preview"))
    if as_json:
        show_json(seen)
    else:
        show(_proposal(seen))


def approve(
    ctx: typer.Context,
    incident: IncidentId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until it is resolved or failed.")] = False,
    note: Note = "",
    break_glass: Annotated[
        str | None,
        typer.Option(
            "--break-glass",
            metavar="REASON",
            help="Authorize alone what needs several, where that is allowed. Everybody is told, with the reason.",
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Look at the proposed recovery, then run it. Exit 1 with --wait where it did not end well."""
    from alertengine.cli.client import run

    settings = place(ctx, config, data_dir).settings()
    if not yes and not can_ask():
        run(settings, lambda client: _trail(client, incident))  # that it is there comes first
        raise WrongUse("stdin is no terminal, so nobody can be asked: give --yes to approve.")
    seen = run(settings, lambda client: _look(client, incident))
    talk_console().print(_proposal(seen))
    # Asked outside of any loop, so that Ctrl-C ends it; and an engine of our own is not held meanwhile.
    if not yes and not confirm("Run this now?"):
        raise NotSo("Nothing was run.")

    async def work(client: Client) -> Json:
        before = await _trail(client, incident)
        if _decisions(before) != seen["decisions"]:
            raise NotSo("The incident went on while you looked. Nothing was run; look again.")
        decided = await _act(client, incident, "approve", note, digest=seen["digest"], **_alone(break_glass))
        say(_approved(decided))
        told = len(before["events"])
        trail = await (_follow(client, incident, told) if wait else _trail(client, incident))
        return {**decided, "stage": trail["stage"], "execution": _execution(decided, trail)}

    decided = run(settings, work)
    if as_json:
        show_json(decided)
    else:
        execution = decided["execution"] or {"id": "-", "status": "waiting for more approvals"}
        show(f"{visible(execution['id'])}  {visible(execution['status'])}  {decided['stage']}")
    if wait and decided["stage"] != "RESOLVED":
        raise typer.Exit(NOT_SO)


def reject(
    ctx: typer.Context,
    incident: IncidentId,
    note: Note = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Decide that the proposed recovery is not run."""
    from alertengine.cli.client import run

    settings = place(ctx, config, data_dir).settings()
    _done(run(settings, lambda client: _act(client, incident, "reject", note)), as_json, "Rejected")


def close(
    ctx: typer.Context,
    incident: IncidentId,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Needed: what you found.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Close what cannot end by itself. Your note says what you found."""
    from alertengine.cli.client import run

    async def work(client: Client) -> Json:
        await _trail(client, incident)
        if not note:
            raise WrongUse('Say what you found: --note "it ran"')
        return await _act(client, incident, "close", note)

    _done(run(place(ctx, config, data_dir).settings(), work), as_json, "Closed")


def _done(answer: Json, as_json: bool, what: str) -> None:
    if as_json:
        show_json(answer)
    else:
        say(f"{what}. It is on record: alertengine audit {answer['incident_id']}")


def _alone(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"reason": reason}


async def _act(client: Client, incident: str, what: str, note: str = "", **more: str) -> Json:
    body = {"operator": getpass.getuser(), "note": note, **more}
    return await client.post(f"/local/incidents/{segment(incident)}/{what}", body)


async def _look(client: Client, incident: str) -> Json:
    """The proposal, and which decisions it rests on."""
    before = _decisions(await _trail(client, incident))
    return {**await _act(client, incident, "preview"), "decisions": before}


async def _trail(client: Client, incident: str) -> Json:
    return await client.get(f"/audit/{segment(incident)}")


def _decisions(trail: Json) -> list[int]:
    """The events that change what an approval would mean."""
    idle = ("alert_", "recovery_previewed", "authorization_refused", "incident_escalated")
    return [e["seq"] for e in trail["events"] if not e["type"].startswith(idle)]


def _proposal(seen: Json) -> Text:
    from rich.text import Text

    action = seen["action"]
    what = f": {visible(action['description'])}" if action["description"] else ""
    lines = [visible(line) for line in str(seen["preview"]).splitlines()]
    return Text.assemble(
        (visible(action["name"]), "bold"),
        what,
        f"\n  runs     {visible(action['would_run'])}",
        f"\n  risk     {visible(action['risk'])}",
        "\n  preview  ",
        "\n           ".join(lines),
    )


def _approved(decided: Json) -> str:
    if decided["authorized"]:
        return f"Authorized: {decided['action']}."
    count = decided["approvals"]
    if decided["execution"]:
        return f"Approved: {decided['action']}."
    return (
        f"Approved, {count['given']} of {count['required']}: another person is needed before anything runs."
    )


def _execution(decided: Json, trail: Json) -> Json | None:
    """The authorized run as it stands by now."""
    if decided["execution"] is None:
        return None
    from alertengine.core.incident import fold

    events = read_events(trail)
    now = fold(events).execution
    return now.to_json() if now else decided["execution"]


async def _follow(client: Client, incident: str, told: int) -> Json:
    """Tell each event after the first `told` until the incident is over, or a person is owed again."""
    from alertengine.cli.story import Story

    console = talk_console()
    while True:
        trail = await _trail(client, incident)
        events = read_events(trail)
        if len(events) > told:
            console.print(Story(events[told:], before=events[told - 1]))
            told = len(events)
        if trail["stage"] not in ("AUTHORIZED", "RECOVERING", "VERIFYING"):
            return trail
        await asyncio.sleep(LOOK_AGAIN_S)
        await client.tick(trail["tenant_id"], events[0].data["service_id"])
