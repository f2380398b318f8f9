"""The messages in docs/diagnosis.md are what a person gets: made by the product, against a local model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from model_benches import FAULTS, TERMS, modelled, opened, queued_after

from alertengine.pipeline.deliver import deliver_due
from alertengine.testing.wire.anthropic import agreeing

pytest.importorskip("anthropic")
PAGE = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text()
PATIENT = replace(TERMS, deadline_s=6.0, limit_s=8.0)


ALERT = {
    "type": "error_anomaly",
    "severity": "critical",
    "message": "61 % of requests to POST /pay fail (usual 0.2 %)",
    "route": "POST /pay",
    "value": 0.61,
    "usual": 0.002,
    "since": "2026-01-02T03:03:50Z",
}


def reads(data: dict[str, Any]) -> dict[str, Any]:
    waits = next(item for item in data["measurements"] if item["id"].endswith(".wait"))
    explanation = {"text": "Connections are taken and not given back: calls run as fast as usual once they have one.",
                   "cites": [waits["id"], data["measurements"][1]["id"]]}  # fmt: skip
    return {**agreeing(data), "confidence": 0.9, "explanation": explanation}


def neutral(text: str) -> str:
    """Less what is never the same twice."""
    text = re.sub(r"inc_[0-9a-f]{20}", "inc_…", text)
    text = re.sub(r"log \d+ \S+", "log 9 …", text)
    return re.sub(r"token=\S+", "token=…", text)


async def message(folder: Path, fault: str | None, *, late: bool = False) -> str:
    terms = replace(PATIENT, deadline_s=0.0) if late else PATIENT
    async with modelled(folder, terms=terms) as (world, server):
        world.source.report = {**world.source.report, "alerts": [ALERT]}
        server.says = reads
        if fault:
            server.plan = [FAULTS[fault]("claude").act]
        await queued_after(world, await opened(world))
        await deliver_due(world.engine)
        await world.settle()
        return neutral(world.channel.last.text)


@pytest.mark.parametrize(
    ("fault", "late"), [(None, False), ("529", False), (None, True)], ids=["with", "without", "late"]
)
async def test_the_page_shows_it(tmp_path: Path, fault: str | None, late: bool) -> None:
    assert f"```text\n{await message(tmp_path, fault, late=late)}\n```" in PAGE
