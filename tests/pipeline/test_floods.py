"""Much at once, and much in a row: what a person gets of it."""

from __future__ import annotations

from collections import Counter

import pytest

from alertengine.pipeline import approve
from alertengine.store import incidents, tellings
from team import Team, gather_team
from world import World

PAYMENTS = ("payments",)


@pytest.fixture
async def team(world: World) -> Team:
    return await gather_team(world)


async def many(team: Team, number: int) -> tuple[str, ...]:
    for n in range(number - 1):
        await team.add_service(f"svc {n:03}")
    return tuple(team.services)


@pytest.mark.parametrize("number", [12, pytest.param(100, marks=pytest.mark.slow)])
async def test_services_that_fail_at_once_are_one_message_each_time(team: Team, number: int) -> None:
    names = await many(team, number)
    opened = await team.tick(failing=names)
    assert len(set(opened)) == number
    await team.tick(2, failing=names)
    assert Counter(team.sent) == {(n, "alert"): 1 for n in ("Tariro", "Rudo", "Chipo")}
    first = team.chat.last
    assert f"{number} together" in first.title
    assert len(first.facts["together"]) == number - 1
    assert first.url is not None
    assert "/incidents?token=" in first.text
    for incident in (opened[0], opened[-1]):
        assert (await team.world.incident(incident)).stage == "ALERTED"
        assert await team.world.engine.store.fetch(tellings.attempts(team.world.tenant, incident))

    await team.wait(400, 20, failing=names)
    assert max(Counter(name for name, _ in team.sent).values()) <= 3
    team.forget()
    for _ in range(3):
        await team.tick(5)
    assert Counter(team.sent) == {(n, "healed"): 1 for n in ("Tariro", "Rudo", "Chipo")}
    assert f"{number} together" in team.chat.last.title


async def test_who_takes_on_a_message_of_several_takes_on_all_of_them(team: Team) -> None:
    names = await many(team, 3)
    opened = await team.tick(failing=names)
    await team.tick(2, failing=names)
    engine = team.world.engine
    await approve.acknowledge(engine, approve.read(engine, team.chat.last_token), {})
    for incident in set(opened):
        taken = (await team.world.incident(incident)).acknowledged_by
        assert taken is not None
        assert taken.name in ("Tariro", "Rudo", "Chipo")
    team.forget()
    await team.wait(400, failing=names)
    assert Counter(kind for _, kind in team.sent) == {"acknowledged": 3}


async def test_who_decides_one_of_several_gets_the_link_of_the_next(team: Team) -> None:
    names = await many(team, 3)
    opened = set(await team.tick(failing=names))
    await team.tick(2, failing=names)
    engine = team.world.engine
    decided = []
    for _ in range(3):
        token = team.chat.last_token
        team.forget()
        decided.append((await approve.reject(engine, token, {})).id)
        await team.world.settle()
    assert set(decided) == opened
    assert "link" not in [kind for _, kind in team.sent]


async def test_what_comes_while_a_message_waits_is_told_in_it_and_what_comes_later_by_itself(
    team: Team,
) -> None:
    names = await many(team, 3)
    await team.tick(failing=names[:1])
    await team.tick(1, failing=names[:2])
    await team.tick(1, failing=names[:2])
    assert Counter(kind for _, kind in team.sent) == {"alert": 3}
    await team.tick(5, failing=names)
    await team.tick(2, failing=names)
    assert Counter(kind for _, kind in team.sent) == {"alert": 6}
    assert "together" not in team.chat.last.title


@pytest.mark.parametrize("times", [30, pytest.param(180, marks=pytest.mark.slow)])
async def test_flapping_for_an_hour_is_a_handful_of_messages(team: Team, times: int) -> None:
    """Ten seconds bad and ten seconds good, again and again."""
    for _ in range(times):
        for _ in range(2):
            await team.tick(5, failing=PAYMENTS)
        for _ in range(2):
            await team.tick(5)
    found = Counter(name for name, _ in team.sent)
    assert max(found.values()) <= 12
    kinds = [kind for name, kind in team.sent if name == "Chipo"]
    assert kinds[:4] == ["alert", "healed", "alert", "healed"]
    titles = [m.title for c, m, _ in team.chat.sent if c.name == "Chipo" and str(m.kind) == "alert"]
    assert "Failing again, 2 times in the last hour: payments" in titles[1]
    rows = await team.world.engine.store.fetch(incidents.open_incidents())
    assert len(rows) == 1  # the last one is held open until it stays well
    await team.wait(3600, 60)
    assert not await team.world.engine.store.fetch(incidents.open_incidents())
    assert team.sent[-1][1] == "healed"


async def test_the_thread_goes_on_from_the_incident_before(team: Team) -> None:
    (first,) = await team.tick(failing=PAYMENTS)
    for _ in range(2):
        await team.tick()
    await team.tick(5, failing=PAYMENTS)
    (second,) = await team.tick(5, failing=PAYMENTS)
    detected = (await team.world.events(second))[0]
    assert detected.data["again"] == {"times": 2, "previous": first}
