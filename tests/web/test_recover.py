"""The link: what it answers to programs and to browsers, over real ASGI and a real store."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from alertengine.errors import StoreUnavailable
from alertengine.pipeline import approve
from alertengine.web.app import create_app
from link_states import alerted, second_contact, token_of
from world import World

JSON = {"accept": "application/json"}
HTML = {"accept": "text/html,application/xhtml+xml"}
LINK = "/action/recover"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert found, f"no field {name}"
    return found[1]


def is_problem(answer: httpx2.Response, status: int, code: str) -> bool:
    said = answer.json()
    typed = answer.headers["content-type"] == "application/problem+json"
    return typed and (answer.status_code, said["status"], said["code"]) == (status, status, code)


async def look(http: httpx2.AsyncClient, token: str, **headers: str) -> httpx2.Response:
    return await http.get(LINK, params={"token": token}, headers={**HTML, **headers})


async def press(
    http: httpx2.AsyncClient, token: str, what: str = "confirm", **headers: str
) -> httpx2.Response:
    """Open the page and press a button, as a browser does."""
    page = (await look(http, token)).text
    decision = {"confirm": "run"}.get(what, what)
    form = {"token": token, "page": field(page, "page"), "decision": decision}
    return await http.post(f"{LINK}/{what}", data=form, headers={**HTML, **headers})


async def test_looking_shows_the_proposal_and_decides_nothing(world: World, http: httpx2.AsyncClient) -> None:
    incident = await world.fail()
    before = await world.types(incident)
    answer = await http.get(LINK, params={"token": world.channel.last_token}, headers=JSON)
    said = answer.json()

    assert answer.status_code == 200
    assert said["incident_id"] == incident
    assert said["tenant_id"] == world.tenant
    assert said["stage"] == "ALERTED"
    assert said["action"]["name"] == "restart-pool"
    assert said["action"]["would_run"] == "recovery restart-pool inside the app"
    assert said["preview"] == "closes 12 idle connections"
    assert said["approvals"] == {"required": 1, "given": 0}
    assert said["expires_at"].endswith("Z")
    assert await world.types(incident) == [*before, "recovery_previewed"]
    assert world.action.runs == []


async def test_head_has_the_headers_and_no_body(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    answer = await http.head(LINK, params={"token": world.channel.last_token})

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("way", ["form", "query", "bearer"])
async def test_a_program_approves_with_the_token_alone(
    world: World, http: httpx2.AsyncClient, way: str
) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    how: dict[str, dict[str, Any]] = {
        "form": {"data": {"token": token}},
        "query": {"params": {"token": token}},
        "bearer": {"headers": {"authorization": f"Bearer {token}"}},
    }
    answer = await http.post(f"{LINK}/confirm", **how[way])
    said = answer.json()

    assert answer.status_code == 200, answer.text
    assert said["authorized"] is True
    assert said["incident_id"] == incident
    assert said["action"] == "restart-pool"
    assert said["authorized_by"] == "Tariro"
    assert said["authorized_at"].endswith("Z")
    assert said["execution"]["status"] == "authorized"
    await world.settle()
    assert len(world.action.runs) == 1


async def test_a_browser_is_led_back_to_the_link_which_follows_to_the_end(
    world: World, http: httpx2.AsyncClient
) -> None:
    await world.fail()
    token = world.channel.last_token
    answer = await press(http, token)

    assert answer.status_code == 303
    back = httpx2.URL(f"http://test{LINK}/confirm").join(answer.headers["location"])
    await world.settle()
    assert "Is payments healthy again?" in (await http.get(back, headers=HTML)).text
    world.clock.advance(10_000)
    assert (await http.get(back, headers=HTML)).status_code == 200


async def test_a_second_tap_sees_what_happened(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    token = world.channel.last_token
    await http.post(f"{LINK}/confirm", data={"token": token})
    again = await http.post(f"{LINK}/confirm", data={"token": token})

    assert is_problem(again, 409, "TOKEN_USED")
    assert again.json()["execution"]["id"]
    await world.settle()
    assert len(world.action.runs) == 1
    page = await http.post(
        f"{LINK}/confirm",
        data={"token": token, "page": world.engine.tokens.form_token("x"), "decision": "run"},
        headers=HTML,
    )
    assert page.status_code == 403
    assert "Is payments healthy again?" in page.text


async def test_rejecting_ends_it(world: World, http: httpx2.AsyncClient) -> None:
    incident = await world.fail()
    answer = await http.post(f"{LINK}/reject", data={"token": world.channel.last_token})

    assert answer.json() == {"rejected": True, "incident_id": incident, "tenant_id": world.tenant}
    assert (await world.incident(incident)).stage == "REJECTED"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "eyJ.eyJ." + "a" * 43, "a" * 5000])
async def test_links_that_are_not_ours_get_one_fixed_answer(http: httpx2.AsyncClient, token: str) -> None:
    program = await http.get(LINK, params={"token": token}, headers=JSON)
    person = await look(http, token)
    posted = await http.post(f"{LINK}/confirm", data={"token": token})

    assert is_problem(program, 401, "TOKEN_INVALID")
    assert is_problem(posted, 401, "TOKEN_INVALID")
    assert program.json() == posted.json()
    assert person.status_code == 401
    nonces = re.sub(r'nonce="[^"]+"', "", person.text)
    assert nonces == re.sub(r'nonce="[^"]+"', "", (await look(http, "other")).text)


async def test_two_different_tokens_are_none(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    token = world.channel.last_token
    answer = await http.post(f"{LINK}/confirm", params={"token": token}, data={"token": "other"})

    assert is_problem(answer, 401, "TOKEN_INVALID")


async def test_an_expired_link_offers_a_fresh_one(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    token = world.channel.last_token
    world.clock.advance(301)
    page = await look(http, token)

    assert page.status_code == 401
    assert "Send me a fresh link" in page.text
    program = await http.get(LINK, params={"token": token}, headers=JSON)
    assert is_problem(program, 401, "TOKEN_EXPIRED")
    assert is_problem(await http.post(f"{LINK}/confirm", data={"token": token}), 401, "TOKEN_EXPIRED")
    sent = await press(http, token, "reissue")
    assert sent.status_code == 202
    assert "fresh link is on its way" in sent.text
    await world.settle()
    assert "link" in world.channel.kinds
    assert (await look(http, world.channel.last_token)).status_code == 200


async def test_a_program_asks_for_a_fresh_link(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    token = world.channel.last_token
    world.clock.advance(301)
    answer = await http.post(f"{LINK}/reissue", data={"token": token})

    assert (answer.status_code, answer.json()["reissued"]) == (202, True)


@pytest.mark.parametrize(
    "change",
    [
        {"page": "wrong"},
        {"page": None},
        {"decision": "reject"},
        {"decision": None},
    ],
)
async def test_a_browser_must_have_seen_the_page_and_pressed_the_button(
    world: World, http: httpx2.AsyncClient, change: dict[str, str | None]
) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    page = (await look(http, token)).text
    form = {"token": token, "page": field(page, "page"), "decision": "run", **change}
    posted = {k: v for k, v in form.items() if v is not None}
    answer = await http.post(f"{LINK}/confirm", data=posted, headers=HTML)

    assert answer.status_code == 403
    assert "Not done." in answer.text
    await world.settle()
    assert world.action.runs == []
    assert "authorization_refused" in await world.types(incident)


@pytest.mark.parametrize("header", [("sec-fetch-site", "cross-site"), ("sec-purpose", "prefetch;prerender")])
async def test_another_site_or_a_prefetcher_decides_nothing(
    world: World, http: httpx2.AsyncClient, header: tuple[str, str]
) -> None:
    await world.fail()
    answer = await press(http, world.channel.last_token, **dict([header]))

    assert answer.status_code == 403
    await world.settle()
    assert world.action.runs == []


async def test_what_cannot_be_recorded_does_not_run(
    world: World, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.fail()
    token = world.channel.last_token

    async def full(*_: Any) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(type(world.engine.store), "transact", full)
        program = await http.post(f"{LINK}/confirm", data={"token": token})
        person = await press(http, token)
    assert is_problem(program, 503, "STORE_UNAVAILABLE")
    assert person.status_code == 503
    assert "so nothing runs" in person.text
    assert world.action.runs == []


async def test_every_answer_has_the_headers(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    token = world.channel.last_token
    answers = [
        await look(http, token),
        await look(http, "x"),
        await http.get(LINK, params={"token": token}, headers=JSON),
        await http.post(f"{LINK}/confirm", data={"token": "x"}),
        await press(http, token, "reject"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "permissions-policy" in answer.headers
        assert "strict-transport-security" not in answer.headers


async def test_https_is_kept_to(world: World) -> None:
    engine = replace(world.engine, base_url="https://alerts.example.com")
    transport = httpx2.ASGITransport(app=create_app(engine, "admin"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await look(client, "x")
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_scripts_and_styles_need_the_nonce_of_this_answer(
    world: World, http: httpx2.AsyncClient
) -> None:
    await world.fail()
    first, second = [await look(http, world.channel.last_token) for _ in range(2)]
    nonces = [re.findall(r"'nonce-([^']+)'", a.headers["content-security-policy"]) for a in (first, second)]

    assert set(nonces[0]).isdisjoint(nonces[1])
    assert re.findall(r'<(?:script|style) nonce="([^"]+)"', first.text) == nonces[0]
    assert not re.search(r"\son\w+=|style=|javascript:", first.text)


async def test_the_page_loads_nothing_else_and_is_small(world: World, http: httpx2.AsyncClient) -> None:
    for _ in range(40):
        await world.tick()
    await world.fail()
    page = await look(http, world.channel.last_token, **{"accept-encoding": "gzip"})
    weight = len(gzip.compress(page.content, 6))

    print(f"the page weighs {weight} bytes compressed, {len(page.content)} plain")
    assert page.headers["content-encoding"] == "gzip"
    assert weight <= 14_000
    assert not re.search(r"(?:src|href)=\"(?!data:,|recover\?)", page.text)
    assert "url(" not in page.text


async def test_two_people_are_needed_where_the_action_says_so(world: World, http: httpx2.AsyncClient) -> None:
    await second_contact(world)
    await alerted(world, approvals=2, polls=1)
    first = await http.post(f"{LINK}/confirm", data={"token": token_of(world, "Rudo")})
    await world.settle()
    assert first.json()["authorized"] is False
    assert first.json()["approvals"] == {"required": 2, "given": 1}
    assert world.action.runs == []

    second = await http.post(f"{LINK}/confirm", data={"token": token_of(world)})
    await world.settle()
    assert second.json()["authorized"] is True
    assert len(world.action.runs) == 1


async def test_many_taps_at_once_authorize_once(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    form = {"token": world.channel.last_token}
    answers = await asyncio.gather(*(http.post(f"{LINK}/confirm", data=form) for _ in range(30)))
    await world.settle()

    assert sorted(a.status_code for a in answers) == [200] + [409] * 29
    assert len(world.action.runs) == 1


async def test_a_phone_that_hangs_up_does_not_undo_its_decision(
    world: World, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = await world.fail()
    began, go = asyncio.Event(), asyncio.Event()
    confirm = approve.confirm

    async def slow(*given: Any) -> Any:
        began.set()
        await go.wait()
        return await confirm(*given)

    monkeypatch.setattr(approve, "confirm", slow)
    tap = asyncio.create_task(http.post(f"{LINK}/confirm", data={"token": world.channel.last_token}))
    await began.wait()
    tap.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tap
    go.set()
    await world.settle()

    assert "recovery_authorized" in await world.types(incident)
    assert len(world.action.runs) == 1


async def test_the_recovery_starts_without_waiting_for_the_next_sweep(
    world: World, http: httpx2.AsyncClient
) -> None:
    await world.fail()
    await http.post(f"{LINK}/confirm", data={"token": world.channel.last_token})
    while tasks := list(world.engine.memory.tasks):
        await asyncio.gather(*tasks)

    assert len(world.action.runs) == 1


async def test_a_link_that_is_asked_for_too_often_is_refused_with_a_reason(
    world: World, http: httpx2.AsyncClient
) -> None:
    await world.fail()
    token = world.channel.last_token
    world.clock.advance(301)
    for _ in range(3):
        assert (await press(http, token, "reissue")).status_code == 202
    refused = await press(http, token, "reissue")

    assert refused.status_code == 429
    assert "A new link was sent a moment ago" in refused.text


async def test_the_token_is_read_from_any_kind_of_form(world: World, http: httpx2.AsyncClient) -> None:
    await world.fail()
    parts = {"token": (None, world.channel.last_token)}
    answer = await http.post(f"{LINK}/confirm", files=parts)

    assert answer.json()["authorized"] is True


@pytest.mark.parametrize("body", [b"--x", b"\xff\xfe", b"token=%ff%00", b"token=a&token=b", b""])
async def test_a_broken_form_is_refused(http: httpx2.AsyncClient, body: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
        answer = await http.post(f"{LINK}/confirm", content=body, headers={"content-type": kind})
        assert answer.status_code in (400, 401)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
