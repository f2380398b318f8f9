"""What a plan does not include is refused with the plan that does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alertengine.app import load_settings
from alertengine.core.model import ActionSpec
from alertengine.core.plans import PLANS, Feature, plan_of
from alertengine.errors import ConfigError
from alertengine.testing import RecordingChannel
from alertengine.web.app import create_app
from world import World

ADMIN = "admin-key-of-this-test"
OPERATOR = {"authorization": f"Bearer {ADMIN}"}
Json = dict[str, Any]


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    kinds = ("console", "telegram", "whatsapp_twilio", "slack", "voice_twilio")
    channels = {kind: RecordingChannel(name=kind, kind=kind) for kind in kinds}
    engine = replace(world.engine, channels=channels)
    transport = httpx2.ASGITransport(app=create_app(engine, ADMIN))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def body(name: str = "orders", **changes: Any) -> Json:
    return {"service_name": name, "health_url": "http://127.0.0.1:2/health/alerts", **changes}


async def onboard(http: httpx2.AsyncClient, **changes: Any) -> httpx2.Response:
    return await http.post("/onboard", json=body(**changes), headers=OPERATOR)


def by(channel: str) -> list[Json]:
    return [{"name": "Rudo", "channel": channel, "address": "somewhere"}]


@pytest.mark.parametrize(
    ("plan", "channel", "better"),
    [
        ("hobby", "whatsapp_twilio", "developer"),
        ("hobby", "slack", "startup"),
        ("solo", "slack", "startup"),
        ("startup", "voice_twilio", "scale"),
    ],
)
async def test_a_channel_comes_with_the_plan(
    http: httpx2.AsyncClient, plan: str, channel: str, better: str
) -> None:
    answer = await onboard(http, plan=plan, contacts=by(channel))
    said = answer.json()
    assert (answer.status_code, said["code"], said["upgrade_to"]) == (403, "PLAN_FEATURE_UNAVAILABLE", better)
    assert said["detail"] == (
        f"The plan {plan} does not include the channel {channel}. The plan {better} does."
    )

    assert (await onboard(http, plan=better, contacts=by(channel))).status_code == 201


async def test_several_approvals_come_with_the_plan(world: World) -> None:
    careful = ActionSpec(name="failover", kind="app", approvals=2)
    app = create_app(replace(world.engine, catalogue={"failover": careful}), ADMIN)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http:
        answer = await onboard(http, plan="solo")
        assert (answer.status_code, answer.json()["upgrade_to"]) == (403, "startup")
        assert "team approvals" in answer.json()["detail"]
        assert (await onboard(http, plan="startup")).status_code == 201


async def test_the_number_of_services_comes_with_the_plan(http: httpx2.AsyncClient) -> None:
    made = (await onboard(http, plan="solo")).json()
    more = f"/tenant/{made['tenant_id']}/services"

    async def add(name: str) -> httpx2.Response:
        return await http.post(more, json=body(name), headers=OPERATOR)

    assert (await add("orders")).json()["detail"].startswith("service_name: this tenant has")
    assert [(await add(name)).status_code for name in ("pay", "mail")] == [201, 201]
    answer = await add("search")
    assert (answer.status_code, answer.json()["upgrade_to"]) == (403, "startup")
    assert "more than 3 services" in answer.json()["detail"]

    record = (await http.get(f"/tenant/{made['tenant_id']}", headers=OPERATOR)).json()
    assert sorted(s["service"] for s in record["services"]) == ["mail", "orders", "pay"]
    assert record["quota"]["services"] == {"used": 3, "limit": 3}
    assert record["quota"]["incidents"] == {"used": 0, "limit": 50, "resets_at": None}


async def test_a_tenant_onboards_nobody_and_chooses_no_plan(world: World, http: httpx2.AsyncClient) -> None:
    own = {"authorization": f"Bearer {world.onboarded.api_key}"}
    for path in ("/onboard", f"/tenant/{world.tenant}/plan"):
        answer = await http.post(path, json={**body(), "plan": "enterprise"}, headers=own)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_a_tenant_sees_what_is_used_up(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    own = {"authorization": f"Bearer {world.onboarded.api_key}"}
    quota = (await http.get(f"/tenant/{world.tenant}", headers=own)).json()["quota"]

    assert quota["incidents"] == {"used": 1, "limit": None, "resets_at": "2026-02-01T03:04:10.000000Z"}
    assert "sso" in quota["features"]


def settings_with(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "alertengine.toml"
    file.write_text(text)
    return load_settings(file, {"HOME": str(tmp_path)}, {})


def test_the_operator_changes_the_table(tmp_path: Path) -> None:
    offered = settings_with(
        tmp_path,
        '[plans.hobby]\nincidents = 20\nservices = "unlimited"\nfeatures = ["dead_letters"]\n'
        '[plans.inside]\nchannels = ["slack"]\n',
    ).offered()

    assert (offered["hobby"].incidents, offered["hobby"].services) == (20, None)
    assert offered["hobby"].features == {Feature.DEAD_LETTERS}
    assert offered["hobby"].channels == PLANS["hobby"].channels
    assert offered["inside"].reaches("slack")
    assert not offered["inside"].reaches("telegram")
    assert offered["inside"].incidents is None
    assert offered["solo"] == PLANS["solo"]
    assert plan_of(offered, "taken out") == PLANS["enterprise"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[plans.hobby]\nincidents = 0\n", "plans.hobby.incidents"),
        ("[plans.hobby]\ncolour = 1\n", "plans.hobby.colour"),
        ('[plans.hobby]\nfeatures = ["magic"]\n', "plans.hobby.features"),
        ("plans = 3\n", "plans"),
        ("[plans]\nhobby = 3\n", "plans"),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        settings_with(tmp_path, text)
