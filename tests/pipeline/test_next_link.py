"""A message about several links to one of them: when that one is over, somebody still has to decide the others."""

from __future__ import annotations

import pytest

from alertengine.core.escalation import EscalationStep
from alertengine.core.policy import Policy
from alertengine.pipeline import approve
from alertengine.pipeline.next_link import send_next_links
from team import Team, gather_team
from world import World


@pytest.fixture
async def team(world: World) -> Team:
    found = await gather_team(world)
    await found.add_service("orders")
    await found.add_service("search")
    found.policy(Policy(steps=(EscalationStep(who=("Tariro", "Rudo")),)))
    return found


async def told_of_three(team: Team) -> tuple[str, tuple[str, ...]]:
    """(the service that the link is for, the others)."""
    await team.tick(failing=tuple(team.services))
    await team.tick(2, failing=tuple(team.services))
    assert [len(m.facts["together"]) for _, m, _ in team.chat.sent] == [2, 2]
    linked = team.chat.last.service
    return linked, tuple(name for name in team.services if name != linked)


async def heal(team: Team, failing: tuple[str, ...], seconds: float = 40) -> list[tuple[str, str, bool]]:
    """(person, service, whether with a link) of the links that are sent while only these are failing."""
    team.forget()
    for _ in range(round(seconds / 5)):
        await team.tick(5, failing=failing)
        await send_next_links(team.world.engine)
        await team.world.settle()
    return [(c.name, m.service, bool(m.url)) for c, m, _ in team.chat.sent if m.kind == "link"]


async def test_when_the_linked_one_heals_by_itself_the_next_ones_link_is_sent_once(team: Team) -> None:
    _, others = await told_of_three(team)
    sent = await heal(team, others, 90)
    assert sorted(name for name, _, _ in sent) == ["Rudo", "Tariro"]
    assert {service for _, service, _ in sent} < set(others)
    assert all(linked for _, _, linked in sent)
    (second,) = {service for _, service, _ in sent}
    (third,) = set(others) - {second}
    assert [(service, linked) for _, service, linked in await heal(team, (third,), 90)] == [(third, True)] * 2


async def test_what_heals_together_needs_no_link(team: Team) -> None:
    _, others = await told_of_three(team)
    assert await heal(team, others, 15) == []
    assert await heal(team, (), 90) == []


async def test_who_took_it_on_gets_the_next_link_and_the_others_are_left_alone(team: Team) -> None:
    _, others = await told_of_three(team)
    engine = team.world.engine
    mine = next(m for c, m, _ in team.chat.sent if c.name == "Rudo")
    assert mine.url is not None
    await approve.acknowledge(engine, approve.read(engine, mine.url.partition("token=")[2]), {})
    assert [name for name, _, _ in await heal(team, others, 90)] == ["Rudo"]
