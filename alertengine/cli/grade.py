"""`alertengine grade`: how good are the diagnoses, on evidence whose cause is known?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo
from alertengine.cli.output import show, show_json, visible
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table

    from alertengine.config import Settings
    from alertengine.core.diagnosis.grading import Grade

Json = dict[str, Any]


def grade(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Evidence in files named CAUSE-anything.json.")
    ],
    model: Annotated[bool, typer.Option("--model", help="Grade the configured model too; it costs.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Replay recorded evidence and say how often the cause is named. Opens and sends nothing."""
    import asyncio

    from alertengine.core.diagnosis.grading import summary

    settings = place(ctx, config, data_dir).settings()
    cases = _cases(folder)
    graded, spent = {"rules": [_by_rules(*case) for case in cases]}, {}
    if model:
        name = settings.diagnosis.model or settings.diagnosis.provider
        graded[name], spent[name] = asyncio.run(_by_model(settings, cases))
    told: Json = {
        name: {**summary(rows), "spent": spent.get(name), "each": [row.to_json() for row in rows]}
        for name, rows in graded.items()
    }
    if as_json:
        show_json(told)
    else:
        show(_table(told))


def _cases(folder: Path) -> list[tuple[str, str, Json]]:
    """(name, cause, report) of each file whose name begins with a cause."""
    from alertengine.core.diagnosis.model import CAUSES

    found = []
    for file in sorted(folder.glob("*.json")):
        truth = file.stem.rpartition("-")[0] or file.stem
        if truth not in CAUSES:
            raise NotSo(
                f"{file.name}: {truth} is no cause; name it CAUSE-anything.json, e.g. pool_exhaustion-1.json"
            )
        data = json.loads(file.read_text(encoding="utf-8"))
        found.append((file.stem, truth, data.get("report", data)))
    if not found:
        raise NotSo(f"{folder} holds no evidence: alertengine diagnose ID --record {folder}/CAUSE-1.json")
    return found


def _by_rules(case: str, truth: str, report: Json) -> Grade:
    from alertengine.core.diagnosis.grading import Grade
    from alertengine.core.diagnosis.rules import diagnose

    return Grade(case=case, truth=truth, finding=diagnose(report))


async def _by_model(settings: Settings, cases: list[tuple[str, str, Json]]) -> tuple[list[Grade], Json]:
    """One question after another, past the budget: whoever grades has decided to pay. It is not told what the rules
    say, so that its grade is its own."""
    from alertengine.app import model_alone
    from alertengine.core.diagnosis.answer import Unreadable, read
    from alertengine.core.diagnosis.grading import Grade
    from alertengine.core.diagnosis.question import ask
    from alertengine.core.spend import Spent
    from alertengine.errors import ModelFailed

    grades, tokens, cost = [], 0, 0
    async with model_alone(settings) as model:
        if model is None:
            raise NotSo("No model can be asked: [diagnosis] provider")
        if complaint := model.complaint():
            raise NotSo(f"No model can be asked: {complaint.english}")
        for case, truth, report in cases:
            question = ask({"service": case.partition("-")[2]}, report, None, (), ())
            try:
                answer = await model.ask(question, settings.diagnosis.max_tokens, settings.diagnosis.limit_s)
                if answer.usage is not None:
                    tokens, cost = tokens + answer.usage.tokens, cost + model.prices.cost(answer.usage)
                grades.append(Grade(case=case, truth=truth, finding=read(answer.said, question).finding))
            except (ModelFailed, Unreadable) as error:
                grades.append(Grade(case=case, truth=truth, finding=None, note=str(error)))
    return grades, Spent(calls=len(cases), tokens=tokens, cost=cost).to_json()


def _table(told: Json) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row("true", *told, style="dim")
    for rows in zip(*(one["each"] for one in told.values()), strict=True):
        table.add_row(rows[0]["truth"], *(_cell(row) for row in rows))
    for key in ("right", "in_first_three", "wrong"):
        table.add_row(
            key.replace("_", " "), *(f"{100 * one[key]:.1f} %" for one in told.values()), style="bold"
        )
    if any(one["spent"] for one in told.values()):
        table.add_row("spent", *(_spent(one["spent"]) for one in told.values()), style="dim")
    return table


def _spent(spent: Json | None) -> str:
    return f"{spent['tokens']:,} tokens, {spent['usd']:.4f} USD" if spent else "nothing"


def _cell(row: Json) -> str:
    sign = "✓" if row["right"] else "·" if row["named"] == "unclear" else "✗"
    sure = "" if row["confidence"] is None else f" {100 * row['confidence']:.0f} %"
    return visible(f"{sign} {row['named']}{sure}{'  ' + row['note'] if row['note'] else ''}")
