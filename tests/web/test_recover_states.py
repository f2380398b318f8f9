"""Each state of the page: what it says, what it offers, and that nothing from outside is taken for markup."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from alertengine.core.policy import Policy
from alertengine.errors import StoreUnavailable
from alertengine.pipeline import approve
from alertengine.store import incidents
from alertengine.testing import critical_report
from alertengine.web.app import create_app
from link_states import FINDING, HOW, POLICY, STATES, Diagnosed, alerted, awaiting, second_contact, token_of
from world import World

LINK = "/action/recover"
HTML = {"accept": "text/html"}

SAYS: dict[str, tuple[int, str, str]] = {
    "awaiting": (200, "payments: POST /pay is failing", "of requests fail, usually"),
    "more-needed": (200, "payments: POST /pay is failing", "Rudo has approved. 1 more approval is needed"),
    "approved": (200, "You approved restart-pool", "1 more approval is needed before it runs."),
    "authorized": (200, "Rudo authorized restart-pool", "It starts now."),
    "running": (200, "restart-pool is running", "You authorized it at"),
    "verifying": (200, "restart-pool ran. Is payments healthy again?", "awaited until"),
    "recovered": (200, "payments is healthy again", "restart-pool helped: verified by two healthy reports"),
    "not-recovered": (
        200,
        "restart-pool ran, but payments still fails",
        "2 min later payments was not healthy",
    ),
    "failed": (200, "restart-pool failed", "systemctl: payments.service not found"),
    "unknown": (200, "It is not known whether restart-pool ran", "never run a second time by itself"),
    "rejected": (200, "Rudo decided not to run it", "Nothing was run."),
    "expired-open": (401, "This link’s time is over", "Send me a fresh link"),
    "expired-over": (401, "This link’s time is over", "Nothing will run."),
    "healed": (200, "payments healed by itself", "Nothing was run."),
    "closed": (200, "rudo closed this incident", "a load test, not customers"),
    "earlier": (200, "There is a newer message", "nothing runs by it"),
    "changed": (200, "restart-pool changed since your link was made", "What it would be now"),
    "invalid": (401, "This link is not valid", "Nothing was run."),
    "test": (200, "payments: this is a test", "nothing real runs"),
}
DECIDING = {"awaiting", "more-needed", "test"}
FOLLOWING = {"approved", "authorized", "running", "verifying"}


@pytest.fixture
def policy() -> Policy:
    return POLICY


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def page(http: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await http.get(LINK, params={"token": token}, headers=HTML)


def text_of(html: str) -> str:
    """What a reader sees, on one line."""
    body = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)).replace("&#39;", "'")


@pytest.mark.parametrize("state", STATES)
async def test_each_state_says_what_is_so(world: World, http: httpx2.AsyncClient, state: str) -> None:
    token = await STATES[state](world)
    runs = len(world.action.runs)
    answer = await page(http, token)
    status, headline, sentence = SAYS[state]
    text = text_of(answer.text)

    assert answer.status_code == status
    assert f'data-view="{state}"' in answer.text
    assert headline in text
    assert sentence in text
    assert ("Run restart-pool now" in text or "Run test now" in text) == (state in DECIDING)
    assert ("http-equiv" in answer.text) == (state in FOLLOWING)
    assert "None" not in text.replace("None yet", "")
    assert "Markup" not in text
    program = await http.get(LINK, params={"token": token}, headers={"accept": "application/json"})
    assert program.status_code == status
    assert program.json().get("view", state) == state
    assert len(world.action.runs) == runs


async def test_a_store_in_trouble_is_said_before_anybody_decides(
    world: World, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await awaiting(world)
    monkeypatch.setattr(type(world.engine.store), "trouble", "the disk is full")
    answer = await page(http, token)

    assert "Nothing can be recorded now, so nothing runs" in answer.text
    assert "Run restart-pool now" not in answer.text
    assert "http-equiv" in answer.text


async def test_a_store_that_cannot_be_read_gets_a_page_too(
    world: World, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await awaiting(world)

    async def broken(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as while_broken:
        while_broken.setattr(type(world.engine.store), "fetch", broken)
        answer = await page(http, token)
    assert answer.status_code == 503
    assert "so nothing runs" in answer.text


HOSTILE = "<script>alert(1)</script>\u202egnp\x1b[31m\x00\u200b</pre>{{7*7}}"


class Hostile(Diagnosed):
    async def diagnose(self, snapshot: object) -> object:  # type: ignore[override]
        evidence = tuple(replace(e, text=HOSTILE) for e in FINDING.evidence)
        return replace(FINDING, summary=HOSTILE, evidence=evidence, check_first=HOSTILE)


async def test_text_from_outside_is_shown_as_text(world: World, http: httpx2.AsyncClient) -> None:
    world.engine = replace(world.engine, diagnoser=Hostile())

    async def hostile_preview(*_: object) -> str:
        return f"{HOSTILE}\n{HOSTILE}"

    world.action.preview = hostile_preview  # type: ignore[method-assign, assignment]
    world.action.describe = lambda spec: f"/bin/echo {HOSTILE}"  # type: ignore[method-assign]
    report = critical_report()
    report["alerts"][0]["message"] = HOSTILE
    report["alerts"][0]["route"] = HOSTILE
    world.source.report = report
    await world.tick()
    html = (await page(http, token_of(world))).text

    assert html.count("<script") == html.count("</script>") == 1
    assert "{{7*7}}" in html
    assert not re.search("[\u202e\u200b\x1b\x00]", html)
    assert r"\u{202e}" in html, "what runs is shown character by character"


async def test_a_name_that_looks_like_markup_is_a_name(world: World, http: httpx2.AsyncClient) -> None:
    await second_contact(world, "<b>Rudo</b>")
    await alerted(world, approvals=2)
    await approve.confirm(world.engine, token_of(world, "<b>Rudo</b>"), HOW)

    assert "&lt;b&gt;Rudo&lt;/b&gt; has approved" in (await page(http, token_of(world))).text


async def test_earlier_runs_of_the_action_are_told(world: World, http: httpx2.AsyncClient) -> None:
    await STATES["recovered"](world)
    world.clock.advance(1000)
    await alerted(world, polls=1)
    answer = await page(http, token_of(world))

    assert "Ran once before. Helped 1 of 1 time" in text_of(answer.text)


async def test_whoever_is_asked_again_is_told_what_was_tried(world: World, http: httpx2.AsyncClient) -> None:
    await STATES["failed"](world)
    text = text_of((await page(http, token_of(world))).text)

    assert "payments: POST /pay is failing" in text
    assert re.search(r"restart-pool was authorized by Tariro at \S+ UTC and failed\.", text)


async def test_the_band_shows_what_was_usual_before(world: World, http: httpx2.AsyncClient) -> None:
    html = (await page(http, await awaiting(world))).text

    assert 'class="band"' in html
    assert "Health score over the last 100 s: began at 99, lowest 23, now 23 of 100." in html


async def test_without_reports_health_is_not_known(world: World, http: httpx2.AsyncClient) -> None:
    token = await awaiting(world)
    world.engine.memory.watches.clear()

    assert "No report since AlertEngine started" in (await page(http, token)).text


async def test_days_later_the_times_carry_their_date(world: World, http: httpx2.AsyncClient) -> None:
    token = await STATES["recovered"](world)
    world.clock.advance(timedelta(days=3).total_seconds())

    assert re.search(r"2026-01-02 \d\d:\d\d:\d\d UTC", (await page(http, token)).text)


async def test_a_robot_that_looks_often_asks_the_app_once(world: World, http: httpx2.AsyncClient) -> None:
    token = await awaiting(world)
    asked = 0

    async def preview(*_: object) -> str:
        nonlocal asked
        asked += 1
        return "closes 12 idle connections"

    world.action.preview = preview  # type: ignore[method-assign, assignment]
    for _ in range(30):
        await page(http, token)
    incident = (await world.engine.store.fetch(incidents.open_incidents()))[0][1]
    types = await world.types(incident)

    assert asked == 1
    assert types.count("recovery_previewed") == 1


async def test_the_page_can_be_held_still(world: World, http: httpx2.AsyncClient) -> None:
    token = await STATES["running"](world)
    moving = await page(http, token)
    still = await http.get(LINK, params={"token": token, "still": "1"}, headers=HTML)

    assert "still=1" in moving.text
    assert "http-equiv" not in still.text
    assert "data-follow" not in still.text


async def test_every_state_is_in_the_table(world: World) -> None:
    assert SAYS.keys() == STATES.keys()
