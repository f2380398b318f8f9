"""A service that shows no evidence: whoever is told of it hears why, and what to do."""

from __future__ import annotations

import pytest

from alertengine.pipeline.services import ServiceChange, change
from alertengine.testing import TARIRO, critical_report
from world import World

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="


@pytest.mark.parametrize(
    ("secret", "why", "nothing"),
    [
        (
            "",
            "AlertEngine has no secret for this service",
            "take its secret, which AlertEngine was not given",
        ),
        (SECRET, "The service rejects the secret", "the service rejects AlertEngine’s secret"),
    ],
    ids=["no secret", "rejected"],
)
async def test_the_message_says_why_nothing_is_known(
    world: World, secret: str, why: str, nothing: str
) -> None:
    world.source.offers = ()
    await change(world.engine, world.onboarded.tenant, world.service.id, ServiceChange(secret=secret), TARIRO)
    incident = await world.fail()
    diagnosis, message = (await world.incident(incident)).diagnosis, world.channel.last

    assert diagnosis is not None
    assert why in diagnosis["summary"]
    assert "alertengine services change" in diagnosis["check_first"]
    assert f"Why: not clear yet. {why}" in message.text
    assert "alertengine doctor" in message.text
    assert nothing in message.text
    assert "alert error_anomaly" not in message.text


async def test_nothing_is_said_of_secrets_where_there_is_evidence(world: World) -> None:
    world.source.report = critical_report(evidence={"exceptions": []})
    incident = await world.tick()

    assert incident is not None
    assert "secret" not in world.channel.last.text
