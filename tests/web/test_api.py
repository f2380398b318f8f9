"""The JSON API over real ASGI and a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from alertengine.signing import webhook_headers
from alertengine.web.app import create_app
from world import World

ADMIN = "admin-key-of-this-test"
Json = dict[str, Any]


@pytest.fixture
def nudged() -> list[str]:
    return []


@pytest.fixture
async def http(world: World, nudged: list[str]) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(world.engine, ADMIN, nudge=nudged.append)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def key(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


def body(**changes: Any) -> Json:
    return {"service_name": "orders", "health_url": "http://127.0.0.1:2/health/alerts", **changes}


async def onboarded(http: httpx2.AsyncClient, **changes: Any) -> Json:
    answer = await http.post("/onboard", json=body(**changes), headers=key(ADMIN))
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


def is_problem(answer: httpx2.Response, status: int, code: str) -> bool:
    said = answer.json()
    typed = answer.headers["content-type"] == "application/problem+json"
    return typed and (answer.status_code, said["status"], said["code"]) == (status, status, code)


async def test_health_is_for_anyone(http: httpx2.AsyncClient) -> None:
    said = (await http.get("/health")).json()

    assert said["status"] == "ok"
    assert said.keys() >= {"status", "version", "uptime_s", "store", "redis", "loop"}
    assert said["redis"] == {"configured": False, "connected": False}


async def test_status_is_for_the_operator(http: httpx2.AsyncClient, world: World) -> None:
    assert is_problem(await http.get("/status"), 401, "UNAUTHORIZED")
    tenant = await http.get("/status", headers=key(world.onboarded.api_key))
    assert is_problem(tenant, 403, "FORBIDDEN")

    said = (await http.get("/status", headers=key(ADMIN))).json()
    assert said["mode"] == "NORMAL"
    assert said["active_tenants"] == 1
    assert said.keys() >= {"mode", "reasons", "dlq_count", "stage_gates", "channels", "loop"}


@pytest.mark.parametrize("given", ["", "x", "aek_live_00000000_" + "a" * 40 + "_000000", ADMIN + "x"])
async def test_unknown_keys_are_answered_alike(http: httpx2.AsyncClient, world: World, given: str) -> None:
    bare = await http.get(f"/tenant/{world.tenant}")
    with_key = await http.get(f"/tenant/{world.tenant}", headers=key(given) if given else {})

    assert is_problem(with_key, 401, "UNAUTHORIZED")
    assert with_key.content == bare.content


async def test_onboarding_shows_the_key_once_and_it_works(http: httpx2.AsyncClient) -> None:
    made = await onboarded(http, contacts=[{"name": "Rudo", "channel": "console"}])

    assert made["status"] == "active"
    assert made["contacts_pending"] == []
    record = (await http.get(f"/tenant/{made['tenant_id']}", headers=key(made["api_key"]))).json()
    assert record["services"][0]["service"] == "orders"
    assert made["api_key"] not in str(record)
    contacts = await http.get(f"/tenant/{made['tenant_id']}/contacts", headers=key(made["api_key"]))
    assert [c["name"] for c in contacts.json()["contacts"]] == ["Rudo"]


async def test_the_service_secret_is_told_to_nobody(http: httpx2.AsyncClient, world: World) -> None:
    secret = "canary-service-secret"
    made = await onboarded(http, service_secret=secret)

    record = await http.get(f"/tenant/{made['tenant_id']}", headers=key(ADMIN))
    assert secret not in record.text
    files = [f for f in world.engine.store.path.parent.iterdir() if f.is_file()]  # type: ignore[attr-defined]
    assert all(secret.encode() not in f.read_bytes() for f in files)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"health_url": "ftp://x"}, "health_url"),
        ({"health_url": "http://user:pw@host/"}, "health_url"),
        ({"plan": "gold"}, "plan"),
        ({"service_name": "a\nb"}, "service_name"),
        ({"contacts": [{"name": "A", "channel": "pigeon"}]}, "contacts"),
        ({"actions": ["no-such-action"]}, "actions"),
        ({"actions": [{"name": "x", "kind": "command", "argv": ["/bin/sh"]}]}, "actions"),
        ({"surprise": 1}, "surprise"),
        ({"service_name": None}, "service_name"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_made(
    http: httpx2.AsyncClient, change: Json, field: str
) -> None:
    answer = await http.post("/onboard", json=body(**change), headers=key(ADMIN))

    assert is_problem(answer, 422, "INVALID")
    assert field in answer.json()["detail"]
    assert (await http.get("/status", headers=key(ADMIN))).json()["active_tenants"] == 1


async def test_an_invalid_body_is_not_echoed(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/onboard", json=body(service_secret=["canary-1234"]), headers=key(ADMIN))
    assert "canary" not in answer.text


async def test_a_body_that_is_too_large_is_refused(http: httpx2.AsyncClient) -> None:
    big = b'{"service_name": "' + b"x" * 70_000 + b'"}'
    answer = await http.post("/onboard", content=big, headers=key(ADMIN))
    assert is_problem(answer, 413, "TOO_LARGE")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    assert (await http.post("/onboard", content=chunks(), headers=key(ADMIN))).status_code == 413


async def test_foreign_and_unknown_things_are_answered_alike(http: httpx2.AsyncClient, world: World) -> None:
    incident = await world.fail()
    other = await onboarded(http)
    mine = key(other["api_key"])
    paths = [
        f"/tenant/{world.tenant}",
        f"/tenant/{world.tenant}/incidents",
        "/tenant/ten_nobody",
        f"/audit/{incident}",
        f"/audit/{incident}?tenant_id={world.tenant}",
        f"/audit/{incident}?tenant_id={other['tenant_id']}",
        "/audit/inc_nothing",
        f"/delivery/{incident}",
        "/delivery/inc_nothing",
    ]
    answers = [await http.get(path, headers=mine) for path in paths]

    assert {a.status_code for a in answers} == {403}
    assert len({a.content for a in answers}) == 1
    close = await http.post(
        f"/tenant/{other['tenant_id']}/incidents/{incident}/close", json={"note": "x"}, headers=mine
    )
    assert close.content == answers[0].content


async def test_the_operator_gets_404_for_what_is_not_there(http: httpx2.AsyncClient) -> None:
    for path in ("/tenant/ten_nobody", "/audit/inc_nothing", "/delivery/inc_nothing", "/nowhere"):
        assert is_problem(await http.get(path, headers=key(ADMIN)), 404, "NOT_FOUND")


async def test_two_tenants_in_one_question_are_refused(http: httpx2.AsyncClient, world: World) -> None:
    incident = await world.fail()
    path = f"/audit/{incident}?tenant_id={world.tenant}&tenant_id=other"
    assert (await http.get(path, headers=key(world.onboarded.api_key))).status_code == 422


async def test_the_trail_and_the_deliveries_of_an_incident(http: httpx2.AsyncClient, world: World) -> None:
    incident = await world.fail()
    mine = key(world.onboarded.api_key)
    trail = (await http.get(f"/audit/{incident}?tenant_id={world.tenant}", headers=mine)).json()
    log = (await http.get(f"/delivery/{incident}", headers=mine)).json()

    assert trail["stage"] == "ALERTED"
    assert [e["type"] for e in trail["events"]] == await world.types(incident)
    assert trail["events"][0].keys() == {"seq", "at", "type", "actor", "data", "hash", "prev_hash"}
    assert log["attempts"][0]["outcome"] == "accepted"
    assert log["attempts"][0]["contact"] == "Tariro"


async def test_incidents_are_paged_newest_first(http: httpx2.AsyncClient, world: World) -> None:
    ids = []
    for _ in range(3):
        world.clock.advance(1)
        answer = await http.post(f"/tenant/{world.tenant}/test", headers=key(world.onboarded.api_key))
        assert answer.status_code == 202
        ids.append(answer.json()["incident_id"])
    await world.settle()
    url, seen = f"/tenant/{world.tenant}/incidents?limit=2", []
    first = (await http.get(url, headers=key(ADMIN))).json()
    seen += first["incidents"]
    second = (await http.get(f"{url}&before={first['next']}", headers=key(ADMIN))).json()
    seen += second["incidents"]

    assert [row["incident_id"] for row in seen] == ids[::-1]
    assert second["next"] is None


async def test_a_test_answers_no_link(http: httpx2.AsyncClient, world: World) -> None:
    answer = await http.post(f"/tenant/{world.tenant}/test", headers=key(world.onboarded.api_key))
    await world.settle()

    assert answer.json().keys() == {"incident_id"}
    assert world.channel.last_token
    assert world.channel.last_token not in answer.text


async def test_a_human_closes_what_cannot_close_itself(http: httpx2.AsyncClient, world: World) -> None:
    incident = await world.fail()
    path = f"/tenant/{world.tenant}/incidents/{incident}/close"
    assert (await http.post(path, json={}, headers=key(ADMIN))).status_code == 422
    closed = await http.post(path, json={"note": "seen to"}, headers=key(world.onboarded.api_key))
    again = await http.post(path, json={"note": "seen to"}, headers=key(world.onboarded.api_key))

    assert closed.json()["closed"] is True
    assert is_problem(again, 409, "NOT_AWAITING_APPROVAL")
    assert (await world.incident(incident)).stage == "RESOLVED"


async def test_a_push_is_believed_only_with_the_service_s_signature(
    http: httpx2.AsyncClient, world: World, nudged: list[str]
) -> None:
    secret = "a-service-secret"
    made = await onboarded(http, service_secret=secret)
    path = f"/push/{made['tenant_id']}/{made['service_id']}"
    content = b'{"status": "critical"}'
    now = int(world.clock.now().timestamp())
    good = webhook_headers(secret, "m1", now, content)
    bad = webhook_headers("another secret", "m1", now, content)
    old = webhook_headers(secret, "m1", now - 400, content)

    for headers in ({}, bad, old):
        assert (await http.post(path, content=content, headers=headers)).status_code == 401
    assert (await http.post("/push/x/y", content=content, headers=good)).status_code == 401
    assert nudged == []
    assert (await http.post(path, content=content, headers=good)).status_code == 202
    assert nudged == [made["service_id"]]


async def test_a_store_that_cannot_be_written_is_503_and_said(http: httpx2.AsyncClient, world: World) -> None:
    # As full as a disk: SQLite may take no page more.
    await world.engine.store.transact(lambda tx: tx.execute("PRAGMA max_page_count=1"))
    # Onboarding alone: it leaves nothing running that could write once more in between.
    for number in range(50):
        answer = await http.post("/onboard", json=body(service_name=f"s{number}"), headers=key(ADMIN))
        if answer.status_code != 201:
            break

    assert is_problem(answer, 503, "STORE_UNAVAILABLE")
    assert (await http.get("/health")).json()["status"] == "degraded"
    assert (await http.get("/status", headers=key(ADMIN))).json()["mode"] == "EMERGENCY"


async def test_every_operation_is_described(http: httpx2.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]

    assert paths.keys() >= {"/health", "/status", "/onboard", "/audit/{incident_id}", "/action/recover"}
    assert not any(path.startswith("/local") for path in paths)
    assert all(op.get("description") for methods in paths.values() for op in methods.values())


async def test_what_is_no_json_is_told_as_that(http: httpx2.AsyncClient) -> None:
    typed = {**key(ADMIN), "content-type": "application/json"}
    said = (await http.post("/onboard", content='{"a": ', headers=typed)).json()["errors"]
    assert [row["field"] for row in said] == ["body"]
    assert said[0]["message"].startswith("not JSON")
    said = (await http.post("/onboard", content="{}", headers=key(ADMIN))).json()["detail"]
    assert said == "body: send it with Content-Type: application/json"
