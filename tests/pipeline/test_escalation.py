"""Who is told when nobody answers, who is left alone, and who hears how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from alertengine.core.escalation import EscalationStep
from alertengine.core.message import MessageKind
from alertengine.core.model import Actor
from alertengine.core.policy import Policy
from alertengine.core.quiet import QuietHours
from alertengine.errors import DeliveryError
from alertengine.pipeline import approve
from alertengine.pipeline.doctor import examine
from alertengine.pipeline.people import missing
from alertengine.ports import Outcome
from team import Team, gather_team
from world import World

PAYMENTS = ("payments",)
STEPS = (
    EscalationStep(who=("Tariro",)),
    EscalationStep(after_s=180, who=("Rudo",), channels=("phone",)),
    EscalationStep(after_s=360, who=("admin",)),
)


@pytest.fixture
async def team(world: World) -> Team:
    found = await gather_team(world)
    found.policy(Policy(steps=STEPS))
    return found


async def failed(team: Team) -> str:
    (incident,) = await team.tick(failing=PAYMENTS)
    return incident


async def escalations(team: Team, incident: str) -> list[dict[str, object]]:
    return [dict(e.data) for e in await team.world.events(incident) if e.type == "incident_escalated"]


async def acknowledge(team: Team) -> None:
    token = team.chat.last_token
    await approve.acknowledge(team.world.engine, approve.read(team.world.engine, token), {})
    await team.world.settle()


async def test_each_step_tells_its_people_once_by_its_channel(team: Team) -> None:
    incident = await failed(team)
    assert team.sent == [("Tariro", "alert")]
    await team.wait(800, failing=PAYMENTS)

    assert team.sent == [("Tariro", "alert"), ("Rudo", "escalation"), ("Chipo", "escalation")]
    assert [c.channel for c, _, _ in team.phone.sent] == ["phone"]
    first, second = await escalations(team, incident)
    assert (first["step"], first["to"], first["channels"]) == (2, ["Rudo"], ["phone"])
    assert (second["step"], second["to"], second["by_voice"]) == (3, ["Chipo"], False)
    assert "No answer for 3 min: calling Rudo." in team.phone.last.title
    assert "telling Chipo." in team.chat.last.title


async def test_acknowledging_stops_the_others_until_its_time_is_over(team: Team) -> None:
    team.policy(Policy(steps=STEPS, ack_timeout_s=300))
    incident = await failed(team)
    await acknowledge(team)
    await team.wait(280, failing=PAYMENTS)
    assert [kind for _, kind in team.sent] == ["alert", "acknowledged"]

    await team.wait(30, failing=PAYMENTS)
    assert team.sent[-1] == ("Rudo", "escalation")
    assert "Tariro took it on, and nothing was decided: calling Rudo." in team.phone.last.title
    assert (await team.world.incident(incident)).acknowledged_by is None
    # From here on the steps keep their distance from one another.
    await team.wait(160, failing=PAYMENTS)
    assert team.sent[-1] == ("Rudo", "escalation")
    await team.wait(20, failing=PAYMENTS)
    assert team.sent[-1] == ("Chipo", "escalation")


async def test_a_daemon_that_was_away_takes_each_step_once_and_leaves_people_time(team: Team) -> None:
    incident = await failed(team)
    await team.tick(500, failing=PAYMENTS)
    assert team.sent == [("Tariro", "alert"), ("Rudo", "escalation")]
    team.world.engine = replace(team.world.engine, boot="another life")
    await team.wait(170, failing=PAYMENTS)
    assert len(await escalations(team, incident)) == 1
    await team.wait(30, failing=PAYMENTS)
    assert [e["step"] for e in await escalations(team, incident)] == [2, 3]


async def test_where_no_message_arrives_the_next_people_are_told_at_once(team: Team) -> None:
    team.chat.failures = [DeliveryError("blocked", permanent=True)]
    team.phone.failures = [DeliveryError("no such number", permanent=True)]
    await failed(team)
    await team.tick(1, failing=PAYMENTS)
    assert team.sent == [("Rudo", "escalation")]
    assert "No message arrived: calling Rudo." in team.phone.last.title


async def test_where_nobody_was_reached_all_are_tried_again_after_growing_waits(team: Team) -> None:
    for channel in (team.chat, team.phone):
        channel.failures = [DeliveryError("its token is not accepted", permanent=True)] * 1000
    incident = await failed(team)
    await team.wait(1200, failing=PAYMENTS)
    events = await team.world.events(incident)
    tried = [e for e in events if e.type == "alert_queued" and e.data["message"] == "reminder"]
    first = [e for e in tried if "follows" not in e.data]
    gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(first)]
    assert gaps == [120, 240, 480]
    assert {d["contact"] for d in first[0].data["deliveries"]} == {"Tariro", "Rudo", "Chipo"}
    assert len(first[0].data["deliveries"]) == 5

    team.chat.failures = team.phone.failures = []
    await team.wait(900, failing=PAYMENTS)
    assert {name for name, _ in team.sent} == {"Tariro", "Rudo", "Chipo"}
    assert team.chat.sent[0][1].url is not None
    assert (await team.world.incident(incident)).stage == "ALERTED"
    # From here on it is an alert like any other: it waits for a decision as long as they all do.
    await team.wait(1000, failing=PAYMENTS)
    assert (await team.world.incident(incident)).stage == "EXPIRED"


async def test_who_was_told_hears_how_it_ends_and_nobody_else(team: Team) -> None:
    await failed(team)
    await team.wait(190, failing=PAYMENTS)
    team.forget()
    await team.tick()
    await team.tick()
    assert sorted(team.sent) == [("Rudo", "healed"), ("Tariro", "healed")]
    await team.wait(7200, 60)
    assert len(team.sent) == 2


async def test_what_stays_broken_is_called_to_mind_ever_more_rarely(team: Team) -> None:
    await failed(team)
    await team.wait(1000, failing=PAYMENTS)
    team.forget()
    began = team.world.clock.now()
    await team.wait(10 * 3600, 60, failing=PAYMENTS)
    reminders = [m for c, m, _ in team.chat.sent if c.name == "Tariro"]
    assert {str(m.kind) for m in reminders} == {"reminder"}
    gaps = [(m.at - began).total_seconds() // 600 for m in reminders]
    assert gaps == [2, 8, 20, 44]
    assert "Still, after" in reminders[0].title
    assert reminders[0].url is None
    assert "Open your last link to ask for a new one." in reminders[0].body


async def test_a_removed_contact_is_a_dead_letter_and_the_next_step_comes_at_once(team: Team) -> None:
    engine = team.world.engine
    await team.world.engine.store.transact(
        lambda tx: tx.execute(
            "UPDATE contact SET verified_at = NULL WHERE channel = 'phone' AND name = 'Tariro'"
        )
    )
    team.chat.failures = [DeliveryError("later", retry_after_s=30)]
    incident = await failed(team)
    await engine.store.transact(lambda tx: tx.execute("DELETE FROM contact WHERE name = 'Tariro'"))
    await team.wait(60, failing=PAYMENTS)
    dead = [e for e in await team.world.events(incident) if e.type == "alert_dead"]
    assert [e.data["error"] for e in dead] == ["the contact was removed"]
    assert team.sent == [("Rudo", "escalation")]


async def test_a_person_who_was_renamed_is_still_who_was_told(team: Team) -> None:
    await failed(team)
    await team.world.engine.store.transact(
        lambda tx: tx.execute("UPDATE contact SET name = 'Tari' WHERE name = 'Tariro'")
    )
    await team.tick()
    await team.tick()
    assert team.sent[-1] == ("Tari", "healed")


def night(who: str, lets_through: str = "nothing") -> QuietHours:
    return QuietHours(
        who=(who,), begins=time(22), ends=time(6), zone=ZoneInfo("Africa/Harare"), lets_through=lets_through
    )


async def test_who_sleeps_is_told_in_the_morning_if_it_is_still_broken(team: Team) -> None:
    # It is 05:04 in Harare.
    team.policy(Policy(quiet=(night("Rudo"),), decision_timeout_s=7200, escalate_after_s=7000))
    await failed(team)
    assert sorted(team.sent) == [("Chipo", "alert"), ("Tariro", "alert")]
    await team.wait(3300, 60, failing=PAYMENTS)
    assert "Rudo" not in dict(team.sent)
    await team.wait(120, 60, failing=PAYMENTS)
    assert ("Rudo", "alert") in team.sent
    team.forget()
    await team.wait(600, 60, failing=PAYMENTS)
    assert ("Rudo", "alert") not in team.sent


async def test_who_sleeps_hears_nothing_of_what_is_over_by_the_morning(team: Team) -> None:
    team.policy(Policy(quiet=(night("Rudo"),)))
    await failed(team)
    await team.tick()
    await team.tick()
    await team.wait(4000, 100)
    assert "Rudo" not in dict(team.sent)


async def test_where_all_sleep_the_most_senior_hears_of_a_critical_outage(team: Team) -> None:
    team.policy(Policy(quiet=(night("everyone"),)))
    incident = await failed(team)
    assert team.sent == [("Chipo", "alert")]
    queued = next(e for e in await team.world.events(incident) if e.type == "alert_queued")
    assert [h["contact"] for h in queued.data["held"]] == ["Tariro", "Rudo"]


async def test_critical_gets_through_quiet_hours_unless_it_may_not(team: Team) -> None:
    team.policy(Policy(quiet=(night("everyone", "critical"),)))
    await failed(team)
    assert len(team.sent) == 3


async def test_nobody_gets_a_fourth_message_in_ten_minutes_with_nothing_new(team: Team) -> None:
    nags = tuple(EscalationStep(after_s=n * 20, channels=("all",)) for n in range(20))
    team.policy(Policy(steps=nags))
    incident = await failed(team)
    await team.wait(500, failing=PAYMENTS)
    assert {name: [n for n, _ in team.sent].count(name) for name in ("Tariro", "Rudo", "Chipo")} == {
        "Tariro": 3,
        "Rudo": 3,
        "Chipo": 3,
    }
    assert (await escalations(team, incident))[-1]["spared"] == ["Chipo", "Rudo", "Tariro"]


async def test_a_late_message_tells_of_the_run_it_was_queued_for(team: Team) -> None:
    """Two runs while the phone is out of reach: each message tells of its own, and of how it stands now."""
    team.policy(Policy(steps=(EscalationStep(who=("Tariro",)),)))
    world = team.world
    incident = await failed(team)
    away = [DeliveryError("away", retry_after_s=100) for _ in range(4)]
    for number, detail in enumerate(("exit 3", "exit 4")):
        world.action.outcome = Outcome(status="failed", detail=detail, facts={})
        team.chat.failures = list(away) if number == 0 else team.chat.failures
        await approve.confirm_as(world.engine, world.tenant, incident, operator(number), {})
        await world.settle()
    team.forget()
    team.chat.failures = []
    await team.wait(200, failing=PAYMENTS)
    late = [m for _, m, _ in team.chat.sent]
    told = [m.title for m in late if m.kind in (MessageKind.AUTHORIZED, MessageKind.FAILED)]
    assert [t.partition(") ")[2][:40] for t in told if "authorized" in t] == [
        "operator 0 authorized restart-pool at 03",
        "operator 1 authorized restart-pool at 03",
    ]
    assert [t.rpartition(": ")[2] for t in told if "failed:" in t] == ["exit 3", "exit 4"]
    assert all("delayed" in t for t in told)


def operator(number: int) -> Actor:
    return Actor(kind="operator", id=f"os:{number}", name=f"operator {number}")


async def test_a_policy_that_names_nobody_who_is_there_is_named(team: Team) -> None:
    steps = (EscalationStep(who=("tariro ", "approver")), EscalationStep(after_s=60, who=("Ruda",)))
    team.policy(Policy(steps=steps, quiet=(night("everyone"), night("Chipa"))))
    known = "known are Chipo, Rudo, Tariro, the roles, and everyone"
    problems = [
        f"policy.steps.1.who: there is no contact 'Ruda'; {known}",
        f"policy.quiet.1.who: there is no contact 'Chipa'; {known}",
    ]
    assert await missing(team.world.engine) == problems
    check = next(c for c in await examine(team.world.engine) if c.name == "policy")
    assert (check.state, check.detail) == ("failed", "; ".join(problems))


async def test_a_step_whose_people_were_removed_tells_everybody(team: Team) -> None:
    await team.world.engine.store.transact(lambda tx: tx.execute("DELETE FROM contact WHERE name = 'Tariro'"))
    await failed(team)
    assert sorted(team.sent) == [("Chipo", "alert"), ("Rudo", "alert")]
