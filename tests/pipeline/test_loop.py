"""The loop from detection to resolution, with a human in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from alertengine.core.detection import Watch
from alertengine.core.diagnosis.model import FetchError, Finding
from alertengine.core.incident import Execution
from alertengine.core.model import Actor
from alertengine.core.policy import Policy
from alertengine.core.snapshot import Snapshot, read_report, unreachable
from alertengine.diagnosers.rules import RulesDiagnoser
from alertengine.errors import (
    ActionChanged,
    DeliveryError,
    NotAwaitingApproval,
    RateLimited,
    Refused,
    TokenExpired,
    TokenInvalid,
    TokenUsed,
)
from alertengine.pipeline import approve, reissue
from alertengine.pipeline.advance import sweep
from alertengine.pipeline.diagnose import find_cause
from alertengine.pipeline.execute import run
from alertengine.pipeline.rehearse import rehearse
from alertengine.ports import Outcome
from alertengine.store import tellings
from alertengine.testing import RESTART_POOL, critical_report, healthy_report
from world import World

HOW = {"address": "127.0.0.1"}
OPERATOR = Actor(kind="operator", id="os:rudo", name="rudo")


async def test_a_failure_goes_from_detection_to_resolution_by_a_human(world: World) -> None:
    await world.tick()
    incident = await world.fail()
    state = await world.incident(incident)

    assert state.stage == "ALERTED"
    assert world.channel.kinds == ["alert"]
    assert "POST /pay" in world.channel.last.text
    assert "restart-pool" in world.channel.last.text

    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    assert (await world.incident(incident)).stage == "VERIFYING"
    assert len(world.action.runs) == 1

    await world.heal()
    assert (await world.incident(incident)).stage == "RESOLVED"
    assert world.channel.kinds == ["alert", "authorized", "recovered"]
    asked = ["incident_detected", "diagnosis_completed", "alert_queued", "alert_accepted"]
    ran = ["recovery_authorized", "alert_queued", "recovery_started", "recovery_succeeded"]
    types = await world.types(incident)
    assert types[:8] == [*asked, *ran]
    assert [t for t in types[8:] if not t.startswith("alert")] == ["health_verified", "incident_resolved"]


async def test_the_authorization_names_the_human_and_how(world: World) -> None:
    incident = await world.fail()
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    event = next(e for e in await world.events(incident) if e.type == "recovery_authorized")

    assert event.actor.name == "Tariro"
    assert event.actor.human
    assert event.data["channel"] == "console"
    assert event.data["address"] == "127.0.0.1"
    assert len(event.data["token"]) == 16
    assert world.channel.last_token not in str(event.data)


async def test_events_chain_by_hash_within_the_incident(world: World) -> None:
    events = await world.events(await world.fail())

    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert [e.prev_hash for e in events] == ["", *(e.hash for e in events[:-1])]


async def test_a_service_has_one_open_incident(world: World) -> None:
    first = await world.fail()

    assert await world.tick() == first
    assert await world.tick() == first
    assert world.channel.kinds == ["alert"]


async def test_the_same_fault_alerts_again_after_it_was_resolved(world: World) -> None:
    first = await world.fail()
    await world.heal()
    world.source.report = critical_report()
    await world.tick()
    second = await world.tick()

    assert second not in (None, first)
    assert world.channel.kinds == ["alert", "healed", "alert"]


async def test_what_heals_by_itself_is_resolved_and_its_link_runs_nothing(world: World) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    await world.heal()

    assert (await world.incident(incident)).stage == "RESOLVED"
    assert "nothing was run" in world.channel.last.text
    with pytest.raises(NotAwaitingApproval):
        await approve.confirm(world.engine, token, HOW)
    await world.settle()
    assert world.action.runs == []
    assert "authorization_refused" in await world.types(incident)


async def test_a_rejection_outlasts_the_link_and_heals_later(world: World) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    await approve.reject(world.engine, token, HOW)
    await world.settle()

    assert (await world.incident(incident)).stage == "REJECTED"
    with pytest.raises(TokenUsed):
        await approve.confirm(world.engine, token, HOW)
    await world.tick()
    assert (await world.incident(incident)).stage == "REJECTED"
    await world.heal()
    assert (await world.incident(incident)).stage == "RESOLVED"
    assert world.action.runs == []


async def test_nobody_answering_escalates_and_then_expires(world: World) -> None:
    incident = await world.fail()
    await world.tick(181)
    assert "incident_escalated" in await world.types(incident)
    assert world.channel.kinds == ["alert", "escalation"]

    await world.tick(800)
    assert (await world.incident(incident)).stage == "EXPIRED"
    assert world.channel.kinds == ["alert", "escalation", "expired"]
    assert world.action.runs == []


async def test_a_link_is_over_after_its_time_and_a_fresh_one_can_be_had(world: World) -> None:
    incident = await world.fail()
    old = world.channel.last_token
    world.clock.advance(301)
    with pytest.raises(TokenExpired):
        await approve.confirm(world.engine, old, HOW)

    await reissue.reissue(world.engine, old, HOW)
    await world.settle()
    fresh = world.channel.last_token
    assert fresh != old
    assert (await approve.confirm(world.engine, fresh, HOW)).stage == "AUTHORIZED"
    assert "link_reissued" in await world.types(incident)


async def test_an_expired_decision_opens_again_with_a_fresh_link(world: World) -> None:
    incident = await world.fail()
    old = world.channel.last_token
    await world.tick(1000)
    assert (await world.incident(incident)).stage == "EXPIRED"

    await reissue.reissue(world.engine, old, HOW)
    await world.settle()
    assert (await world.incident(incident)).stage == "ALERTED"
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    assert len(world.action.runs) == 1


async def test_fresh_links_are_limited_and_need_an_old_one_that_is_over(world: World) -> None:
    await world.fail()
    token = world.channel.last_token
    with pytest.raises(NotAwaitingApproval):
        await reissue.reissue(world.engine, token, HOW)
    world.clock.advance(301)
    for _ in range(reissue.REISSUES):
        await reissue.reissue(world.engine, token, HOW)
    with pytest.raises(RateLimited):
        await reissue.reissue(world.engine, token, HOW)


async def test_a_link_of_a_copy_that_was_put_back_runs_nothing_and_gets_a_fresh_one(world: World) -> None:
    incident = await world.fail()
    old = world.channel.last_token
    await world.engine.store.transact(lambda tx: tx.start_over("a test", world.engine.now()))
    with pytest.raises(TokenUsed, match="A fresh one can be sent to you"):
        await approve.confirm(world.engine, old, HOW)
    assert (await approve.open_link(world.engine, old)).expired
    await reissue.reissue(world.engine, old, HOW)
    await world.settle()
    assert world.action.runs == []
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    assert (await world.incident(incident)).stage == "VERIFYING"
    with pytest.raises(NotAwaitingApproval):
        await reissue.reissue(world.engine, old, HOW)


async def test_a_recovery_that_fails_asks_again_with_a_new_link(world: World) -> None:
    world.action.outcome = Outcome(status="failed", detail="exit 3", facts={})
    incident = await world.fail()
    first = world.channel.last_token
    await approve.confirm(world.engine, first, HOW)
    await world.settle()

    assert (await world.incident(incident)).stage == "ALERTED"
    assert world.channel.kinds == ["alert", "authorized", "failed"]
    assert "exit 3" in world.channel.last.text
    with pytest.raises(TokenUsed):
        await approve.confirm(world.engine, first, HOW)
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE link SET used_at = NULL"))
    with pytest.raises(Refused):  # the events know what it authorized
        await approve.confirm(world.engine, first, HOW)
    world.action.outcome = Outcome(status="succeeded", detail="done", facts={})
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    assert len(world.action.runs) == 2
    assert (await world.types(incident)).count("recovery_authorized") == 2


async def test_a_recovery_that_did_not_help_is_said_and_asks_again(world: World) -> None:
    incident = await world.fail()
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    await world.tick(121)

    assert "health_not_recovered" in await world.types(incident)
    assert world.channel.kinds[-1] == "not_recovered"
    assert world.channel.last.url is not None
    assert "incident_resolved" not in await world.types(incident)


async def test_a_process_that_stood_still_after_the_start_was_recorded_runs_nothing_late(
    world: World,
) -> None:
    incident = await world.fail()
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    state = await world.incident(incident)
    assert state.action is not None
    assert state.execution is not None
    world.clock.advance(31)
    outcome = await run(world.engine, state, state.action, state.execution)
    assert outcome.detail == "nothing was run: it could not start within 30 s"
    assert (outcome.status, outcome.facts, len(world.action.runs)) == ("failed", {"ran": False}, 1)


async def test_an_outcome_nobody_knows_is_never_repeated_and_waits_for_a_human(world: World) -> None:
    world.action.outcome = Outcome(status="unknown", detail="no answer came", facts={})
    incident = await world.fail()
    token = world.channel.last_token
    await approve.confirm(world.engine, token, HOW)
    await world.settle()

    assert (await world.incident(incident)).stage == "UNKNOWN"
    assert "alertengine close" in world.channel.last.text
    await world.tick(2000)
    with pytest.raises(TokenUsed):
        await approve.confirm(world.engine, token, HOW)
    assert len(world.action.runs) == 1

    await world.heal()
    assert (await world.incident(incident)).stage == "UNKNOWN"
    world.source.report = critical_report()
    await world.tick()
    second = await world.tick()
    assert second not in (None, incident)
    closed = await approve.close(world.engine, world.tenant, incident, OPERATOR, "it ran")
    assert closed.id == incident
    assert (await world.incident(incident)).stage == "RESOLVED"


async def test_a_start_that_was_missed_is_not_made_up_for(world: World) -> None:
    incident = await world.fail()
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    world.clock.advance(31)
    await world.settle()

    failed = next(e for e in await world.events(incident) if e.type == "recovery_failed")
    assert failed.data["ran"] is False
    assert world.action.runs == []


async def test_a_hundred_confirms_of_one_link_give_one_execution(world: World) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    attempts = [approve.confirm(world.engine, token, HOW) for _ in range(100)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    await world.settle()

    assert sum(not isinstance(r, BaseException) for r in results) == 1
    assert {type(r) for r in results if isinstance(r, BaseException)} == {TokenUsed}
    assert len(world.action.runs) == 1
    assert (await world.types(incident)).count("recovery_authorized") == 1


async def at_terminal(world: World, incident: str, shown: str | None = None) -> None:
    """The operator approves what they were shown: what is proposed, unless it was something else."""
    action = (await world.incident(incident)).action
    assert action is not None
    how = {"channel": "terminal"}
    await approve.confirm_as(
        world.engine, world.tenant, incident, OPERATOR, how, digest=shown or action.digest()
    )


async def test_the_operator_approves_what_was_shown_and_nothing_else(world: World) -> None:
    incident = await world.fail()
    with pytest.raises(ActionChanged):
        await at_terminal(world, incident, shown="0" * 64)

    assert "recovery_authorized" not in await world.types(incident)


async def test_a_decision_by_the_operator_leaves_the_links_without_effect(world: World) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    await at_terminal(world, incident)
    with pytest.raises(Refused) as refused:
        await approve.confirm(world.engine, token, HOW)
    await world.settle()

    assert refused.value.code == "NOT_AWAITING_APPROVAL"
    assert len(world.action.runs) == 1


async def test_a_changed_action_is_refused_and_proposed_anew(world: World) -> None:
    incident = await world.fail()
    old = world.channel.last_token
    changed = type(RESTART_POOL).from_json(RESTART_POOL.to_json() | {"params": {"name": "another"}})
    world.engine.memory.offered[world.service.id] = (changed,)
    with pytest.raises(ActionChanged):
        await approve.confirm(world.engine, old, HOW)

    await world.settle()
    assert world.action.runs == []
    assert world.channel.kinds == ["alert", "alert"]
    with pytest.raises(ActionChanged):
        await approve.confirm(world.engine, old, HOW)
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()
    authorized = next(e for e in await world.events(incident) if e.type == "recovery_authorized")
    assert authorized.data["digest"] == changed.digest()


async def test_an_expired_decision_opens_again_though_the_link_would_live_on(world: World) -> None:
    await world.fail()
    token = world.channel.last_token
    engine = replace(world.engine, policy=replace(world.engine.policy, decision_timeout_s=60))
    world.clock.advance(61)
    await sweep(engine)
    await reissue.reissue(engine, token, HOW)
    await world.settle()
    await approve.confirm(engine, world.channel.last_token, HOW)


@pytest.mark.parametrize("change", [lambda t: t + "=", lambda t: t[:-1], lambda t: t + "\n", str.upper])
async def test_only_the_exact_token_counts(world: World, change: object) -> None:
    await world.fail()
    token = world.channel.last_token
    changed = change(token)  # type: ignore[operator]
    with pytest.raises(TokenInvalid):
        await approve.confirm(world.engine, changed, HOW)


async def test_a_clock_set_back_revives_nothing(world: World) -> None:
    await world.fail()
    token = world.channel.last_token
    world.clock.advance(400)
    await world.tick()
    world.clock.set_wall(world.clock.now().replace(year=2025))
    await world.engine.store.transact(lambda tx: None)
    with pytest.raises(Refused):
        await approve.confirm(world.engine, token, HOW)
    await world.settle()
    assert world.action.runs == []


async def test_a_message_is_retried_until_it_is_taken_with_one_key(world: World) -> None:
    world.channel.failures = [DeliveryError("HTTP 503"), DeliveryError("HTTP 503")]
    incident = await world.fail()
    for _ in range(4):
        world.clock.advance(10)
        await world.settle()

    types = await world.types(incident)
    assert types.count("alert_failed") == 2
    assert types.count("alert_accepted") == 1
    attempts = await world.engine.store.fetch(tellings.attempts(world.tenant, incident))
    assert [a.outcome for a in attempts] == ["failed", "failed", "accepted"]
    assert len({a.delivery_id for a in attempts}) == 1


async def test_a_message_that_cannot_arrive_is_a_dead_letter(world: World) -> None:
    world.channel.failures = [DeliveryError("HTTP 404", permanent=True)]
    incident = await world.fail()

    assert "alert_dead" in await world.types(incident)
    assert (await world.engine.store.fetch(tellings.counts()))["dead"] == 1


async def test_a_late_alert_says_what_happened_meanwhile(world: World) -> None:
    world.channel.failures = [DeliveryError("HTTP 503", retry_after_s=120)]
    await world.fail()
    await world.heal()
    world.clock.advance(130)
    await world.settle()

    late = next(m for _, m, _ in world.channel.sent if m.kind == "alert")
    assert "delayed" in late.title
    assert "it is over" in late.text
    assert late.url is None


async def test_a_test_goes_the_whole_way_and_runs_nothing_real(world: World) -> None:
    incident = await rehearse(world.engine, world.tenant)
    await world.settle()
    assert "TEST" in world.channel.last.title
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()

    assert (await world.incident(incident)).stage == "RESOLVED"
    assert world.action.runs == []
    assert "nothing real" in world.channel.last.text.lower()


class TestTwoApprovals:
    @pytest.fixture(autouse=True)
    def two_people(self, world: World) -> None:
        two = type(RESTART_POOL).from_json(RESTART_POOL.to_json() | {"approvals": 2})
        world.source.offers = (two,)
        world.engine.memory.offered[world.service.id] = (two,)

    async def test_one_person_is_not_enough_and_counts_once(self, world: World) -> None:
        incident = await world.fail()
        state = await approve.confirm(world.engine, world.channel.last_token, HOW)
        assert state.execution is None
        await at_terminal(world, incident)
        await world.settle()

        execution = (await world.incident(incident)).execution
        assert isinstance(execution, Execution)
        assert [t for t in await world.types(incident) if t.startswith("recovery_a")] == [
            "recovery_approved",
            "recovery_authorized",
        ]

    async def test_the_same_person_twice_is_refused(self, world: World) -> None:
        incident = await world.fail()
        await at_terminal(world, incident)
        with pytest.raises(NotAwaitingApproval):
            await at_terminal(world, incident)


class TestPolicy:
    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(confirmations=3)

    async def test_confirmations_are_awaited(self, world: World) -> None:
        world.source.report = critical_report()
        assert [await world.tick() for _ in range(2)] == [None, None]
        assert await world.tick() is not None

    async def test_a_good_score_opens_nothing(self, world: World) -> None:
        good = {"score": 90.0, "status": "critical", "trend": "stable"}
        world.source.report = healthy_report(status="critical", health_score=good)
        assert [await world.tick() for _ in range(5)] == [None] * 5


async def test_a_service_that_falls_silent_is_diagnosed_by_its_last_words(world: World) -> None:
    world.source.report = critical_report()
    watch = Watch().see(read_report(world.clock.now(), critical_report()))
    silent = unreachable(world.clock.now(), FetchError(kind="timeout", detail="no answer"))
    world.engine.memory.watches[world.service.id] = watch.see(silent)
    seen: list[Snapshot] = []

    class Listening:
        name = "rules"

        async def diagnose(self, snapshot: Snapshot) -> Finding:
            seen.append(snapshot)
            return await RulesDiagnoser().diagnose(snapshot)

    await find_cause(replace(world.engine, diagnoser=Listening()), world.service)

    assert seen[0].error is not None
    assert seen[0].report == critical_report()


async def test_an_app_that_comes_back_is_asked_again_what_it_offers(world: World) -> None:
    world.engine.memory.offered[world.service.id] = ()
    silent = unreachable(world.clock.now(), FetchError(kind="refused", detail="connection refused"))
    world.engine.memory.watches[world.service.id] = Watch().see(silent)
    await world.tick()

    assert world.engine.recoveries(world.service) == (RESTART_POOL,)
