"""The message and the page say what it costs, where somebody said what a request is worth."""

from __future__ import annotations

from dataclasses import replace

import httpx2

from alertengine.core.cost import Value
from alertengine.store import directory
from alertengine.testing import critical_report
from alertengine.web.app import create_app
from world import World

VALUES = {"payments": {"POST /pay": Value(noun="failed payments", amount=2.0, currency="USD")}}
ROWS = [
    {"route": "POST /pay", "sample_size": 40, "p95_ms": 90.0, "error_rate": 0.5, "client_error_rate": 0.0}
]


async def fail(world: World) -> str:
    world.engine = replace(world.engine, values=VALUES)
    world.source.report = critical_report(routes=ROWS)
    incident = await world.tick()
    assert incident is not None
    return incident


async def test_the_alert_says_it_right_after_how_bad_it_is(world: World) -> None:
    await fail(world)
    message = world.channel.last

    assert message.body[1].startswith("About 20 failed payments so far, about ")
    assert message.body[1].endswith(" USD an hour.")
    assert message.to_json()["cost"]["noun"] == "failed payments"


async def test_the_page_says_it_too(world: World) -> None:
    await fail(world)
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        page = await http.get("/action/recover", params={"token": world.channel.last_token})

    assert "About 20 failed payments so far" in page.text


async def test_nothing_is_said_once_it_is_over(world: World) -> None:
    incident = await fail(world)
    await world.heal()

    assert world.channel.last.to_json()["cost"] is None
    assert "failed payments" not in world.channel.last.text
    assert (await world.incident(incident)).open is False


async def test_what_was_said_at_onboarding_is_kept_and_checked(world: World) -> None:
    body = {
        "service_name": "orders",
        "health_url": "http://127.0.0.1:1/health/alerts",
        "value": {"POST /pay": {"noun": "lost orders"}},
    }
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test", headers={"authorization": "Bearer admin"}
    ) as http:
        made = await http.post("/onboard", json=body)
        wrong = await http.post("/onboard", json={**body, "value": {"POST /pay": {"amount": 3}}})
    [service] = await world.engine.store.fetch(directory.services(made.json()["tenant_id"]))

    assert service.value == {"POST /pay": Value(noun="lost orders")}
    assert wrong.status_code == 422
    assert "amount and currency go together" in wrong.text
