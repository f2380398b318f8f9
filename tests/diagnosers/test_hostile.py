"""Nothing that a model says, or an application's text makes it say, is executed, clicked or waited for."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile_answers import ANSWERS, CITED, TEXTS, good
from hostile_exceptions import MESSAGES
from model_benches import TERMS, diagnoses, failing, modelled, opened, queued_after
from synthetic_faults import scenario

from alertengine.core.diagnosis import told
from alertengine.core.diagnosis.answer import Opinion, Unreadable, read
from alertengine.core.diagnosis.question import Question, Recovery, ask
from alertengine.core.diagnosis.rules import diagnose
from alertengine.core.language import ENGLISH
from alertengine.core.letter import Letter, compose
from alertengine.core.message import MessageKind
from alertengine.pipeline.catalogue import recommend
from alertengine.pipeline.findings import finding_json
from alertengine.testing import RESTART_POOL, detected, diagnosed, make_events
from alertengine.testing.wire.anthropic import agreeing, data_of

OFFERED = [
    Recovery(id="restart-pool", description="recycle the connection pool"),
    Recovery(id="rollback", description=""),
]
CLICKABLE = re.compile(
    r"\b(?:https?|ftp|tg|javascript|data|mailto|tel|sms):\S|\bwww\.|(?:\d{1,3}\.){3}\d{1,3}"
    r"|[^\W_](?:\.|\u3002|\u2024|\uff0e)[a-z]{2,}|(?<!\w)[@/]\w|\]\(|<[a-z!@#/]|\+\d{6,}"
    r"|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b|\b\d{3}-\d{4}\b",
    re.IGNORECASE,
)
MARKUP = re.compile(r"[*`~|<>]")


def question(report: Mapping[str, Any] | None = None) -> Question:
    report = report or scenario("pool_exhaustion", 7)
    return ask({"service": "payments"}, report, diagnose(report), ["poll at 03:04:05: critical"], OFFERED)


def opinion(answer: object, asked: Question) -> Opinion | None:
    began = time.perf_counter()
    try:
        return read(answer, asked)
    except Unreadable:
        return None
    finally:
        assert time.perf_counter() - began < 1.0


def shown(found: Opinion) -> str:
    """What people would read of it, in the message and on the page."""
    data = {
        **finding_json(found.finding),
        "source": "a-model",
        "claims": [{"text": c.text, "cites": list(c.cites)} for c in found.claims],
        "recommended_action": found.action,
        "action": RESTART_POOL.to_json(),
        "model": {"state": "answered", "provider": "p", "model": "a-model"},
        "rules": diagnosed().data,
    }
    page = [data["summary"], data["check_first"], str(data["route"]), str(data["dependency"])]
    return "\n".join([told.of_model(data, ENGLISH), *page, *(c.text for c in found.claims)])


def test_there_are_enough_of_them() -> None:
    assert len(ANSWERS) >= 80
    assert len(set(MESSAGES)) >= 120


def test_a_good_answer_is_read() -> None:
    found = read(good(), question())
    assert (found.action, found.cites, len(found.claims)) == ("restart-pool", 1, 2)


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_no_answer_acts_or_can_be_tapped(number: int) -> None:
    asked = question()
    found = opinion(ANSWERS[number], asked)
    if found is None:
        return
    text = shown(found)
    assert found.action in (None, *asked.actions)
    assert CLICKABLE.findall(text) == []
    assert MARKUP.findall(text) == []
    assert {unicodedata.category(c) for c in text.replace("\n", "")}.isdisjoint(
        {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    assert not any(secret in text for secret in ("sk-ant-api03", "hunter2"))
    assert all(len(c.text) <= 300 for c in found.claims)
    assert len(text) < 6000
    measured = " ".join(item.text for item in asked.known)
    numbers = set(re.findall(r"\d+", "\n".join([found.finding.summary, *(c.text for c in found.claims)])))
    assert numbers <= set(re.findall(r"\d+", measured))


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_what_cannot_be_taken_out_of_an_answer_drops_the_claim(number: int) -> None:
    """An answer that says only this leaves nothing of it, or nothing that anybody could act on."""
    claim = {"text": TEXTS[number], "cites": [CITED]}
    found = opinion(good(explanation=claim, claims=[claim], check_first=""), question())
    assert found is None or "evil.example" not in shown(found)


def hostile(message: str, cause: str = "app_exception") -> dict[str, Any]:
    """A report of a broken service whose every name and message says the same."""
    report = scenario(cause, 5)
    evidence = report["evidence"]
    for row in evidence["exceptions"]:
        row["message"] = message
    evidence["exceptions"].append(
        {
            "type": "ValueError",
            "message": message,
            "location": message,
            "route": message,
            "count": 1,
            "new": False,
        }
    )
    evidence["marks"].append({"kind": message, "version": message, "age_s": 9000.0})
    return report


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_no_exception_leaves_its_fence_or_changes_what_is_said(number: int) -> None:
    report, plain = hostile(MESSAGES[number]), hostile("a plain message")
    asked = question(report)
    data = data_of(asked.text)
    found = diagnose(report)

    assert data["rules"]["cause"] == found.cause == diagnose(plain).cause
    assert [item["id"] for item in data["measurements"]] == [
        i["id"] for i in data_of(question(plain).text)["measurements"]
    ]
    assert data["recoveries"][0]["id"] == "restart-pool"
    assert asked.actions == ("restart-pool", "rollback")
    assert len(asked.text) < 17_000
    actions = (RESTART_POOL,)
    assert recommend(actions, found) == recommend(actions, diagnose(plain))


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_no_exception_can_be_tapped_in_a_message(number: int) -> None:
    from alertengine.core.incident import fold
    from alertengine.core.snapshot import read_report
    from alertengine.testing import START

    message = MESSAGES[number]
    report = hostile(message)
    alert = {
        "type": "error_anomaly",
        "severity": "critical",
        "message": message,
        "route": message,
        "since": None,
    }
    snapshot = read_report(START, {**report, "status": "critical", "alerts": [alert]})
    news = detected(reason=snapshot.headline, title=f"payments: {snapshot.route} is failing")
    incident = fold(make_events(news, diagnosed(**finding_json(diagnose(report)))))
    letter = Letter(recipient="Tariro", now=START, queued_at=START)
    for kind in (MessageKind.ALERT, MessageKind.DIAGNOSIS):
        text = "\n".join([compose(kind, incident, letter).title, *compose(kind, incident, letter).body])
        assert re.findall(r"\w\.(?:com|example|zip|co|me)\b|https?:|www\.|\+263", text, re.IGNORECASE) == []
        assert not any(
            unicodedata.category(c) in ("Cc", "Cf", "Cs")
            for c in text.replace("\n", "").replace("\ufe0f", "")
        )


def obedient(data: Mapping[str, Any]) -> dict[str, Any]:
    """A model that does what it reads."""
    return {
        **agreeing(data),
        "cause": "no_traffic",
        "confidence": 1.0,
        "recommended_action": "drop-database",
        "explanation": {"text": "All is well, open evil.com", "cites": [data["measurements"][0]["id"]]},
        "claims": [{"text": "The data ask for it.", "cites": [data["measurements"][0]["id"]]}],
    }


@pytest.mark.parametrize("number", range(0, len(MESSAGES), 12))
async def test_an_obedient_model_changes_nothing_but_its_own_line(number: int, tmp_path: Path) -> None:
    pytest.importorskip("anthropic")
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=5.0)) as (world, server):
        server.says = obedient
        report = failing(world.clock)
        for row in report["evidence"]["exceptions"]:
            row["message"] = MESSAGES[number]
        world.source.report = report
        incident = await opened(world)
        waited = await queued_after(world, incident)
        await world.settle()
        found = (await diagnoses(world, incident))[-1]
        state = await world.incident(incident)

    assert waited < 2.0
    assert state.action is not None
    assert (found["recommended_action"], state.action.name) == (None, "restart-pool")
    assert "drop-database" not in world.channel.last.text
    assert "database connections are used up" in world.channel.last.text
    assert "The rules and the model disagree: believe what you measure." in world.channel.last.text
    assert world.channel.last.url
