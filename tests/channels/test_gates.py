"""The rate of a channel, and its pause while the provider fails."""

from __future__ import annotations

from alertengine.core.gate import FIRST_PAUSE_S, LONGEST_PAUSE_S, TRIPS_AFTER, Gate
from alertengine.errors import DeliveryError, Fault
from alertengine.ports import Traits
from channels.wired import wired
from world import World

NO_ANSWER = DeliveryError("no answer", fault=Fault.UNKNOWN)
FRESH = Gate(per_s=2, burst=3)


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    gate = FRESH
    for _ in range(3):
        assert gate.wait_s(10) == 0
        gate = gate.tried(10)

    assert gate.wait_s(10) == 0.5
    assert gate.wait_s(10.5) == 0
    assert gate.tried(10.5).wait_s(10.5) == 0.5


def test_failures_in_a_row_shut_it_for_longer_and_longer() -> None:
    gate = FRESH
    for _ in range(TRIPS_AFTER - 1):
        gate = gate.failed(0)
    assert gate.shut_s(0) == 0
    pauses, now = [], 0.0
    for _ in range(8):
        gate = gate.failed(now)
        pauses.append(gate.shut_s(now))
        now += pauses[-1]
        gate = gate.tried(now)

    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert gate.answered().shut_s(now) == 0


def test_fifty_that_fail_together_are_one_failure() -> None:
    gate = FRESH
    for _ in range(50):
        gate = gate.failed(0)

    assert gate.shut_s(0) == FIRST_PAUSE_S


def test_after_the_pause_one_try_goes_ahead() -> None:
    gate = Gate(per_s=2, burst=3, failures=TRIPS_AFTER, shut_until=15.0)

    assert gate.shut_s(14) == 1
    assert gate.shut_s(15) == 0
    assert gate.tried(15).shut_s(15) > 0, "the others wait for what it finds"


async def test_a_failing_provider_is_left_alone_and_the_next_address_used_at_once(world: World) -> None:
    async with wired(world) as line:
        line.world.engine.channels["first"] = first = type(line.spare)(name="first", kind="first")  # type: ignore[index]
        for n in range(TRIPS_AFTER + 3):
            await line.add(f"Person {n}", "first", str(n))
        await line.add("Person 0", "spare")
        first.failures = [NO_ANSWER] * 100
        await world.fail()
        tried = 100 - len(first.failures)
        for _ in range(3):
            await world.tick(3)

        assert tried <= TRIPS_AFTER + 3
        assert line.spare.kinds == ["alert"]
        first.failures = []
        for _ in range(20):
            await world.tick(10)
        assert {contact.name for contact, *_ in first.sent} >= {
            f"Person {n}" for n in range(1, TRIPS_AFTER + 3)
        }


async def test_no_more_is_sent_than_the_provider_takes(world: World) -> None:
    async with wired(world) as line:
        line.spare.traits = Traits(idempotent=False, per_s=1, burst=2)
        for n in range(6):
            await line.add(f"Person {n}", "spare", str(n))
        await world.fail()
        assert len(line.spare.sent) == 2
        counts = []
        for _ in range(4):
            await world.tick(1)
            counts.append(len(line.spare.sent))

        assert counts == [3, 4, 5, 6]
