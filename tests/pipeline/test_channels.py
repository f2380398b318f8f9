"""What the outbox makes of channels and their failures."""

from __future__ import annotations

from dataclasses import replace

from alertengine.core.message import URGENT
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline import approve
from alertengine.ports import Traits
from alertengine.testing import RecordingChannel
from world import World


async def test_another_form_is_tried_at_once(world: World) -> None:
    world.channel.failures = [DeliveryError("not in this form", fault=Fault.TEMPLATE)]
    incident = await world.fail()

    assert world.channel.kinds == ["alert"]
    failed = next(e for e in await world.events(incident) if e.type == "alert_failed")
    assert (failed.data["fault"], failed.data["permanent"]) == ("template", False)


async def test_an_endless_plea_for_another_form_slows_down(world: World) -> None:
    world.channel.failures = [DeliveryError("not in this form", fault=Fault.TEMPLATE) for _ in range(20)]
    incident = await world.fail()

    assert (await world.types(incident)).count("alert_failed") == 3


async def test_a_limit_that_lasts_for_hours_is_not_waited_for(world: World) -> None:
    world.channel.failures = [DeliveryError("daily limit", fault=Fault.EXHAUSTED)]
    incident = await world.fail()

    assert (await world.types(incident))[-1] == "alert_dead"


async def test_nobody_is_telephoned_to_hear_that_it_runs(world: World) -> None:
    phone = RecordingChannel(kind="voice", traits=Traits(idempotent=False, kinds=URGENT))
    world.engine = replace(world.engine, channels={"console": phone})
    await world.fail()
    await approve.confirm(world.engine, phone.last_token, {})
    await world.settle()
    await world.heal()

    assert phone.kinds == ["alert"]
