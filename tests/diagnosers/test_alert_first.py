"""The model never gates, delays or suppresses an alert: whatever becomes of it, the alert goes out the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from model_benches import BENCHES, FAULTS, TERMS, diagnoses, modelled, opened, queued_after, types

from alertengine.testing.wire.anthropic import API_KEY
from world import open_world

pytest.importorskip("anthropic")
SLACK_S = 5.0
"""What a busy machine may add to anything."""


async def alerted(world, incident: str) -> str:  # type: ignore[no-untyped-def]
    await world.settle()
    return world.channel.sent[0][1].text  # type: ignore[no-any-return]


def without_model(text: str) -> str:
    """The alert less what it says of the model, and what is never the same twice."""
    lines = [
        line for line in text.splitlines() if not re.match(r"Without the model|AI suggestion|Review", line)
    ]
    return re.sub(r"inc_\w+|log .*", "", "\n".join(lines))


async def plain_alert(folder: Path) -> str:
    """The alert of a daemon without any model."""
    async with modelled(folder) as (world, _):
        world.engine = replace(world.engine, model=None)
        incident = await opened(world)
        await queued_after(world, incident)
        return await alerted(world, incident)


@pytest.mark.parametrize("kind", sorted(BENCHES))
@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_no_fault_changes_when_or_what_is_told(fault: str, kind: str, tmp_path: Path) -> None:
    expected = FAULTS[fault](kind)
    async with modelled(tmp_path / "with", kind) as (world, server):
        assert expected.act is not None
        server.plan = [expected.act]
        incident = await opened(world)
        waited = await queued_after(world, incident)
        before = await types(world, incident)
        text = await alerted(world, incident)
        found = await diagnoses(world, incident)

    assert waited < (TERMS.deadline_s if expected.slow else 0) + SLACK_S
    assert before[:2] == ["incident_detected", "diagnosis_completed"]
    assert "alert_queued" in before
    # What the machine's load cannot blur: who does not answer in time is not waited for.
    assert before[: before.index("alert_queued")].count("diagnosis_completed") == (1 if expected.slow else 2)
    assert (found[0]["source"], found[0]["model"]["state"]) == ("rules", "asked")
    assert (found[-1]["source"], found[-1]["model"]["state"]) == ("rules", "failed")
    said = [line for line in text.splitlines() if line.startswith("Without the model")]
    assert len(said) == 1
    if not expected.slow:
        assert re.search(expected.says, said[0]), said
    assert API_KEY not in text + str(found)
    assert without_model(text) == without_model(await plain_alert(tmp_path / "without"))


async def test_a_hang_is_said_in_the_message_that_does_not_wait(tmp_path: Path) -> None:
    from alertengine.pipeline.deliver import deliver_due

    async with modelled(tmp_path) as (world, server):
        server.plan = [FAULTS["hang"]("claude").act]
        incident = await opened(world)
        waited = await queued_after(world, incident)
        await deliver_due(world.engine)
        assert "Without the model: claude-haiku-5-5 has not answered yet." in world.channel.last.text
        assert TERMS.deadline_s <= waited
        await world.settle()
        assert world.channel.kinds == ["alert"]
        assert (await diagnoses(world, incident))[-1]["model"]["reason"] == "no answer within 1.2 s"


async def test_no_network_at_all(tmp_path: Path) -> None:
    async with modelled(tmp_path, base_url="http://127.0.0.1:1") as (world, _):
        incident = await opened(world)
        assert await queued_after(world, incident) < SLACK_S
        assert "it cannot be reached" in await alerted(world, incident)


async def test_without_a_key_nothing_is_asked_and_the_message_says_so(tmp_path: Path) -> None:
    async with modelled(tmp_path, api_key=None) as (world, server):
        incident = await opened(world)
        assert await queued_after(world, incident) < SLACK_S
        text = await alerted(world, incident)
        assert "Without the model claude-haiku-5-5: no API key is set (diagnosis.api_key)." in text
        assert server.requests == []
        assert len(await diagnoses(world, incident)) == 1


async def test_in_time_its_reading_is_in_the_first_message(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=5.0)) as (world, server):
        incident = await opened(world)
        await queued_after(world, incident)
        text = await alerted(world, incident)
        rules, model = await diagnoses(world, incident)

    assert server.problems == []
    assert "AI suggestion by claude-haiku-5-5, not verified: database connections are used up" in text
    assert (rules["source"], model["source"], model["model"]["state"]) == (
        "rules",
        "claude-haiku-5-5",
        "answered",
    )
    assert world.channel.kinds == ["alert"]
    assert model["rules"]["summary"] == rules["summary"]


async def test_late_its_reading_follows_once_and_the_proposal_stays(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=0.0)) as (world, _):
        incident = await opened(world)
        await queued_after(world, incident)
        await world.settle()
        state = await world.incident(incident)

    assert world.channel.kinds == ["alert", "diagnosis"]
    first, second = (message for _, message, _ in world.channel.sent)
    assert (
        "Without the model: claude-haiku-5-5 has not answered yet." in first.text
        or "AI suggestion" in first.text
    )
    assert "AI suggestion by claude-haiku-5-5, not verified" in second.text
    assert "Proposed is still restart-pool." in second.text
    assert second.url is None
    assert state.round == 1


async def test_a_daemon_without_a_model_says_nothing_of_one(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        incident = await world.fail()
        assert "model" not in world.channel.last.text
        assert "model" not in (await diagnoses(world, incident))[0]
