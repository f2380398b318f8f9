"""`alertengine diagnose`: why is it slow right now?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.output import show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.console import Group

Json = dict[str, Any]


def diagnose(
    ctx: typer.Context,
    subject: Annotated[
        str, typer.Argument(metavar="SERVICE|ID", help="A service by name or id, or an incident.")
    ],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Ask a service for its evidence now, or take an incident's, and name the likely cause. Opens and sends nothing."""
    from alertengine.cli.client import run

    settings = place(ctx, config, data_dir).settings()
    found = run(settings, lambda client: client.get("/local/diagnosis", of=subject))
    if as_json:
        show_json(found)
    else:
        show(told(found))


def told(found: Json) -> Group:
    from rich.console import Group
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows(found):
        table.add_row(f"  {label}", styled(text))
    return Group(styled(_heading(found), "bold"), table)


def rows(found: Json) -> list[tuple[str, str]]:
    measured = [item["text"] for item in found["evidence"]]
    return [
        ("likely", f"{_in_words(found)}, {found['source']}"),
        ("why", found["summary"]),
        *(("measured" if at == 0 else "", text) for at, text in enumerate(measured)),
        *(("or", _in_words(guess)) for guess in found["alternatives"]),
        ("check first", found["check_first"]),
        ("would run", _proposal(found)),
    ]


def _heading(found: Json) -> str:
    health = found["health"] or {}
    how = f"{found['service']} is {health.get('health', 'not known')}"
    headline = f": {health['headline']}" if health.get("headline") else ""
    when = f" ({found['incident_id']}, as it was found)" if found["incident_id"] else ""
    return f"{how}{headline}{when}"


def _in_words(guess: Json) -> str:
    from alertengine.core.diagnosis.model import CAUSES

    return f"{CAUSES.get(guess['cause'], guess['cause'])} ({100 * guess['confidence']:.0f} % sure)"


def _proposal(found: Json) -> str:
    action = found["action"]
    if action is None:
        return "nothing"
    what = f": {action['description']}" if action["description"] else ""
    known = f". {found['experience']['text']}" if found.get("experience") else ""
    return f"{action['name']}{what}{known}"
