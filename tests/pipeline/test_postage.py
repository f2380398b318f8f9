"""What messages cost: counted before they leave, and cheaper at the cap, never silent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from alertengine.app import load_settings
from alertengine.core.escalation import EscalationStep
from alertengine.core.policy import Policy
from alertengine.core.postage import cost_of, millionths
from alertengine.errors import ConfigError, DeliveryError
from alertengine.pipeline.status import status
from alertengine.store import incidents, postage
from alertengine.store.log import SYSTEM_TREE
from team import Team, gather_team
from world import World

PAYMENTS = ("payments",)
RING = (
    EscalationStep(who=("Tariro",), channels=("phone",)),
    EscalationStep(after_s=60, who=("Rudo",), channels=("phone",)),
)


@pytest.fixture
async def team(world: World) -> Team:
    found = await gather_team(world)
    world.engine = replace(world.engine, prices={"phone": 0.10, "chat": 0.01})
    return found


def capped(cap: float | None, steps: tuple[EscalationStep, ...] = RING) -> Policy:
    return Policy(steps=steps, spend_cap=cap)


async def spent(team: Team) -> float:
    rows = (await status(team.world.engine))["postage"]
    return round(sum(row["spent"] for row in rows), 6)


async def test_each_message_is_counted_and_what_was_refused_costs_nothing(team: Team) -> None:
    team.policy(capped(None))
    team.phone.failures = [DeliveryError("busy", retry_after_s=1)]
    await team.tick(failing=PAYMENTS)
    await team.tick(5, failing=PAYMENTS)
    assert [c.channel for c, _, _ in team.phone.sent] == ["phone"]
    assert await spent(team) == 0.10


async def test_at_the_cap_the_cheaper_address_is_used_and_it_is_on_the_record(team: Team) -> None:
    team.policy(capped(0.15))
    (incident,) = await team.tick(failing=PAYMENTS)
    await team.wait(80, failing=PAYMENTS)
    assert [(c.name, c.channel) for c, _, _ in team.phone.sent + team.chat.sent] == [
        ("Tariro", "phone"),
        ("Rudo", "chat"),
    ]
    failed = [e.data["error"] for e in await team.world.events(incident) if e.type == "alert_failed"]
    assert failed == ["the month's spend cap of 0.15 is reached; it goes by chat"]
    engine = team.world.engine
    (told,) = await engine.store.fetch(incidents.events(SYSTEM_TREE, f"postage {team.world.tenant} 2026-01"))
    assert (told.type, told.data["cap"]) == ("spend_cap_reached", 0.15)
    (row,) = (await status(engine))["postage"]
    assert (row["cap"], row["capped"], row["spent"]) == (0.15, True, 0.11)


async def test_where_there_is_nothing_cheaper_it_leaves_all_the_same(team: Team) -> None:
    team.policy(capped(0.0, (EscalationStep(who=("Chipo",)),)))
    await team.tick(failing=PAYMENTS)
    assert team.sent == [("Chipo", "alert")]
    assert await spent(team) == 0.01


async def test_nobody_is_told_twice_in_one_place_for_the_cap(team: Team) -> None:
    everywhere = EscalationStep(after_s=60, who=("Rudo",), channels=("all",))
    team.policy(capped(0.02, (EscalationStep(who=("Tariro",)), everywhere)))
    (incident,) = await team.tick(failing=PAYMENTS)
    await team.wait(80, failing=PAYMENTS)
    assert team.sent == [("Tariro", "alert"), ("Rudo", "escalation")]
    assert "alert_dead" in await team.world.types(incident)


async def test_a_new_month_begins_anew(team: Team) -> None:
    team.policy(capped(0.10, RING[:1]))
    await team.tick(failing=PAYMENTS)
    await team.tick()
    await team.tick()
    team.forget()
    await team.tick(31 * 86400)
    await team.tick(failing=PAYMENTS)
    assert [c.channel for c, _, _ in team.phone.sent] == ["phone"]


async def test_two_that_leave_at_once_cannot_both_be_the_last(team: Team) -> None:
    store = team.world.engine.store
    cap = millionths(1)
    both = await asyncio.gather(
        *(
            store.transact(lambda tx: postage.charge(tx, "t", "2026-01", millionths(0.1), cap))
            for _ in range(40)
        )
    )
    assert sum(both) == 10


def test_what_a_message_costs_is_the_channels_or_its_kinds(tmp_path: Path) -> None:
    assert cost_of("voice", "voice_twilio", {}) == 0.05
    assert cost_of("voice", "voice_twilio", {"voice": 0.0}) == 0
    assert cost_of("chat", "telegram", {}) == 0
    file = tmp_path / "alertengine.toml"
    file.write_text('[channels.ops]\nkind = "console"\ncost = 0.5\n')
    assert load_settings(file, {}, {}).prices == {"ops": 0.5}
    file.write_text('[channels.ops]\nkind = "console"\ncost = "dear"\n')
    with pytest.raises(ConfigError, match=r"channels\.ops\.cost"):
        load_settings(file, {}, {})
