"""`alertengine diagnose`: why is it slow right now?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.output import show, show_json, visible
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.text import Text

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


def told(found: Json) -> Text:
    from rich.text import Text

    lines = [
        f"  likely       {_cause(found)}",
        f"  why          {visible(found['summary'])}",
        *(f"  {'measured' if at == 0 else '':12} {line}" for at, line in enumerate(_measured(found))),
        *(f"  or           {line}" for line in _alternatives(found)),
        f"  check first  {visible(found['check_first'])}",
        f"  would run    {_proposal(found)}",
    ]
    return Text.assemble((_heading(found), "bold"), "\n", "\n".join(lines))


def _heading(found: Json) -> str:
    health = found["health"] or {}
    how = f"{found['service']} is {health.get('health', 'not known')}"
    headline = f": {health['headline']}" if health.get("headline") else ""
    when = f" ({found['incident_id']}, as it was found)" if found["incident_id"] else ""
    return visible(f"{how}{headline}{when}")


def _cause(found: Json) -> str:
    return visible(f"{_in_words(found)}, {found['source']}")


def _in_words(guess: Json) -> str:
    from alertengine.core.diagnosis.model import CAUSES

    return f"{CAUSES.get(guess['cause'], guess['cause'])} ({100 * guess['confidence']:.0f} % sure)"


def _measured(found: Json) -> list[str]:
    return [visible(item["text"]) for item in found["evidence"]]


def _alternatives(found: Json) -> list[str]:
    return [visible(_in_words(guess)) for guess in found["alternatives"]]


def _proposal(found: Json) -> str:
    action = found["action"]
    if action is None:
        return "nothing"
    what = f": {action['description']}" if action["description"] else ""
    known = f". {found['experience']['text']}" if found.get("experience") else ""
    return visible(f"{action['name']}{what}{known}")
