"""The message and the page say what it costs, where somebody said what a request is worth."""

from __future__ import annotations

from dataclasses import replace

import httpx2
import pytest

from alertengine.core.cost import Value
from alertengine.core.toll import Toll
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


BEGAN = "2026-01-02T03:03:50Z"


@pytest.mark.parametrize(
    ("since", "window_s"),
    [
        ("0001-01-01T00:00:00+01:00", 60),
        ("9999-12-31T23:59:59-01:00", 60),
        ("0001-01-01T00:00:00Z", 5e-324),
        (BEGAN, 1e12),
        (BEGAN, 5e-324),
        (BEGAN, -1.0),
    ],
)
async def test_no_figure_of_a_report_keeps_the_alert_from_anybody(
    world: World, since: str, window_s: float
) -> None:
    world.engine = replace(world.engine, values=VALUES)
    report = critical_report(routes=ROWS)
    report["metrics"]["window_s"] = window_s
    report["alerts"][0]["since"] = since
    world.source.report = report
    for _ in range(3):
        await world.tick()

    assert world.channel.kinds == ["alert"]
    assert ("failed payments so far" in world.channel.last.text) is (since == BEGAN)
    assert "since 03:0" in world.channel.last.text


async def test_what_breaks_while_it_is_counted_or_written_leaves_the_bare_alert(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ArithmeticError("a figure beyond all figures")

    monkeypatch.setattr(Toll, "see", broken)
    monkeypatch.setattr("alertengine.pipeline.engine.cost", broken)
    monkeypatch.setattr("alertengine.core.contents.evidence", lambda *of: of[0].diagnosis and broken())
    world.engine.memory.tolls[world.service.id] = Toll()
    await fail(world)
    for _ in range(3):
        await world.tick()

    assert world.channel.kinds == ["alert"]
    assert world.channel.last.title.endswith("payments: POST /pay is failing")
    assert "61 % of requests to POST /pay fail" in world.channel.last.text
    assert world.channel.last_token
    assert len(caplog.records) == 2
