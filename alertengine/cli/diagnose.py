"""`alertengine diagnose`: why is it slow right now?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo
from alertengine.cli.output import say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.console import Group

Json = dict[str, Any]


def diagnose(
    ctx: typer.Context,
    subject: Annotated[
        str, typer.Argument(metavar="SERVICE|ID", help="A service by name or id, or an incident.")
    ],
    model: Annotated[
        bool, typer.Option("--model", help="Let the configured model read it too; it costs.")
    ] = False,
    asked: Annotated[
        bool, typer.Option("--input", help="Show what the model was given about an incident.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Keep the evidence, redacted, to grade on."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Ask a service for its evidence now, or take an incident's, and name the likely cause. Opens and sends nothing."""
    from alertengine.cli.client import run

    settings = place(ctx, config, data_dir).settings()
    wanted: Json = {"of": subject, "model": model, "evidence": record is not None}
    found = run(settings, lambda client: client.get("/local/diagnosis", **wanted))
    if record is not None:
        record.write_text(json.dumps({"report": found.pop("report")}, indent=1, ensure_ascii=False) + "\n")
        say(f"{record} holds the evidence; name it CAUSE-anything.json and grade on its folder.")
    if as_json:
        show_json(found)
    elif asked and not found.get("asked"):
        raise NotSo("No model was asked: the rules alone diagnosed it.")
    elif asked:
        show(styled("\n\n".join(question["question"] for question in found.get("asked", ()))))
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
        *_of_rules(found),
        *_of_model(found),
    ]


def _of_rules(found: Json) -> list[tuple[str, str]]:
    """What the rules say, where a model's reading stands before them."""
    rules = found.get("rules")
    return [("rules say", _in_words(rules))] if rules else []


def _of_model(found: Json) -> list[tuple[str, str]]:
    model = found.get("model")
    if not model or model["state"] == "asked":
        return []
    calls = model.get("calls", ())
    spent = sum(call["cost_usd"] for call in calls)
    cost = (
        [("cost", f"{sum(c['tokens_in'] + c['tokens_out'] for c in calls)} tokens, {spent:.4f} USD")]
        if calls
        else []
    )
    if model["state"] == "answered":
        return [("", "an AI suggestion, not verified"), *cost]
    return [("", f"without the model {model['model']}: {model['reason']}"), *cost]


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
