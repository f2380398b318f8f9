"""Who may decide, over the pages, programs, chats and the terminal: attacked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alertengine.core.authority import PinFor, Rules
from alertengine.core.model import Actor, Contact, Risk, Role
from alertengine.errors import NotAwaitingApproval, PinNeeded, Refused, SelfApproval, SignInNeeded
from alertengine.pins import is_pin, seal_pin
from alertengine.pipeline import approve, reissue
from alertengine.pipeline.proof import Proof
from alertengine.pipeline.rehearse import rehearse
from alertengine.pipeline.taps import hear
from alertengine.ports import Reply, Tap
from alertengine.store import directory, people
from alertengine.web.app import create_app
from link_states import ACTION, HOW, Diagnosed, alerted, fail, ordinary_life, token_of
from world import World, open_world

HTML = {"accept": "text/html"}
LINK = "/action/recover"
PIN = "739154"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def serving(world: World) -> httpx2.AsyncClient:
    """For a world whose engine was changed."""
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


def demand(world: World, **rules: Any) -> None:
    world.engine = replace(world.engine, rules=Rules(**rules))


async def join(world: World, name: str, role: Role = Role.APPROVER, **more: Any) -> Contact:
    contact = Contact(
        id=f"con_{name.lower()}",
        tenant_id=world.tenant,
        name=name,
        channel="console",
        role=role,
        **{"verified_at": world.engine.now(), **more},
    )
    await world.engine.store.transact(lambda tx: directory.add_contact(tx, contact))
    return contact


async def give_pin(world: World, name: str = "Tariro", pin: str = PIN) -> None:
    sealed = seal_pin(pin)
    await world.engine.store.transact(lambda tx: people.set_pin(tx, world.tenant, name, sealed))


async def set_role(world: World, name: str, role: str) -> None:
    await world.engine.store.transact(
        lambda tx: tx.execute("UPDATE contact SET role = ? WHERE name = ?", role, name)
    )


async def risky(world: World, approvals: int = 1) -> str:
    """An incident whose action is of high risk."""
    action = replace(ACTION, risk=Risk.HIGH, approvals=approvals)
    world.engine = replace(world.engine, diagnoser=Diagnosed())
    world.source.offers = (action,)
    world.engine.memory.offered[world.service.id] = world.source.offers
    await ordinary_life(world, 2)
    return await fail(world)


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def confirm(http: httpx2.AsyncClient, token: str, **form: str) -> httpx2.Response:
    return await http.post(f"{LINK}/confirm", data={"token": token, **form})


async def press(http: httpx2.AsyncClient, token: str, what: str, **fields: str) -> httpx2.Response:
    page = (await http.get(LINK, params={"token": token}, headers=HTML)).text
    found = re.search(r'name="page" value="([^"]+)"', page)
    assert found
    decision = {"confirm": "run"}.get(what, what)
    form = {"token": token, "page": found[1], "decision": decision, **fields}
    return await http.post(f"{LINK}/{what}", data=form, headers=HTML)


# The PIN


async def test_high_risk_runs_with_the_pin_alone(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await give_pin(world)
    incident = await risky(world)
    async with await serving(world) as http:
        page = await http.get(LINK, params={"token": token_of(world)}, headers=HTML)
        assert 'name="pin"' in page.text
        assert (
            await http.get(LINK, params={"token": token_of(world)}, headers={"accept": "application/json"})
        ).json()["needs"]["pin"] == "ask"
        assert code(await confirm(http, token_of(world))) == (403, "PIN_NEEDED")
        assert code(await confirm(http, token_of(world), pin="111222")) == (403, "PIN_WRONG")
        answer = await confirm(http, token_of(world), pin=PIN)
    assert answer.json()["authorized"] is True
    await world.settle()
    assert len(world.action.runs) == 1
    assert PIN not in str([e.to_json() for e in await world.events(incident)])
    assert "authorization_refused" in await world.types(incident)


async def test_a_wrong_pin_is_told_on_the_page_which_stays_open(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await give_pin(world)
    await risky(world)
    async with await serving(world) as http:
        answer = await press(http, token_of(world), "confirm", pin="111222")
        assert answer.status_code == 403
        assert "This is not your PIN" in answer.text
        assert '<details class="act" id="decide" open>' in answer.text
        assert "111222" not in answer.text
        assert (await press(http, token_of(world), "confirm", pin=PIN)).status_code == 303


async def test_without_a_pin_high_risk_is_for_somebody_else(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await risky(world)
    async with await serving(world) as http:
        assert code(await confirm(http, token_of(world), pin=PIN)) == (403, "PIN_UNSET")
        page = await http.get(LINK, params={"token": token_of(world)}, headers=HTML)
        assert "you have none yet" in page.text
        assert 'value="run"' not in page.text
        assert (await press(http, token_of(world), "reject")).status_code == 303


async def test_low_risk_asks_for_none(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await alerted(world, polls=1)
    async with await serving(world) as http:
        assert (await confirm(http, token_of(world))).status_code == 200


async def test_a_pin_cannot_be_tried_often_over_links_and_restarts(tmp_path: Path) -> None:
    """Ten thousand guesses would find a PIN of four digits; this lets five through, then one an hour."""
    async with open_world(tmp_path) as world:
        demand(world, pin=PinFor.HIGH)
        await give_pin(world)
        incident = await risky(world)
        first = token_of(world)
        async with await serving(world) as http:
            for guess in range(3):
                assert code(await confirm(http, first, pin=f"10020{guess}")) == (403, "PIN_WRONG")
            world.clock.advance(301)
            await reissue.reissue(world.engine, first, HOW)
            await world.settle()
            second = token_of(world)
            # A restart: another engine on the same store, which remembers nothing but the store.
            world.engine = replace(world.engine, memory=type(world.engine.memory)())
            world.engine.memory.offered[world.service.id] = world.source.offers
        async with await serving(world) as http:
            answers = await asyncio.gather(*(confirm(http, second, pin=f"20030{n}") for n in range(10)))
            codes = [code(a)[1] for a in answers]
            assert codes.count("PIN_WRONG") == 2, codes
            assert codes.count("PIN_LOCKED") == 8
            assert code(await confirm(http, second, pin=PIN)) == (429, "PIN_LOCKED"), "locked means locked"
            world.clock.advance(3599)
            await world.settle()
            await reissue.reissue(world.engine, second, HOW)
            await world.settle()
            third = token_of(world)
            assert code(await confirm(http, third, pin=PIN)) == (429, "PIN_LOCKED")
            world.clock.advance(1)
            assert code(await confirm(http, third, pin="300400")) == (403, "PIN_WRONG")
            assert code(await confirm(http, third, pin=PIN)) == (429, "PIN_LOCKED"), "one more try, not five"
        await world.settle()
        assert world.action.runs == []
        assert "recovery_authorized" not in await world.types(incident)


async def test_the_right_pin_forgets_the_wrong_tries(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await give_pin(world)
    await join(world, "Rudo")
    await risky(world, approvals=2)
    async with await serving(world) as http:
        for guess in ("100200", "100201", "100202", "100203"):
            assert code(await confirm(http, token_of(world), pin=guess))[1] == "PIN_WRONG"
        assert (await confirm(http, token_of(world), pin=PIN)).status_code == 200
    person = await world.engine.store.fetch(people.person(world.tenant, "Tariro"))
    assert person is not None
    assert (person.tries, person.locked_till) == (0, None)


async def test_a_used_or_late_link_costs_no_try(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await give_pin(world)
    await risky(world)
    token = token_of(world)
    world.clock.advance(301)
    async with await serving(world) as http:
        for _ in range(20):
            assert code(await confirm(http, token, pin="100200")) == (401, "TOKEN_EXPIRED")
    person = await world.engine.store.fetch(people.person(world.tenant, "Tariro"))
    assert person is not None
    assert person.tries == 0


async def test_two_addresses_have_one_pin(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await give_pin(world, "TARIRO ")
    await risky(world)
    async with await serving(world) as http:
        assert (await confirm(http, token_of(world), pin=PIN)).status_code == 200


@pytest.mark.parametrize(
    "pin", ["", "12345", "1234567890123", "12345a", "111111", "123456", "987654", "121212", "１２３４５６"]
)
def test_what_is_guessed_first_is_no_pin(pin: str) -> None:
    with pytest.raises(Exception, match="PIN"):
        seal_pin(pin)


def test_what_is_kept_of_a_pin_says_nothing() -> None:
    one, other = seal_pin(PIN), seal_pin(PIN)
    assert one != other
    assert PIN not in one
    assert is_pin(PIN, one)
    assert not is_pin("739155", one)
    assert not is_pin("", one)
    assert not is_pin("9" * 100_000, one)


class Chat:
    """A chat channel that keeps its answers."""

    name = kind = "console"

    def __init__(self) -> None:
        self.said: list[Reply] = []

    async def answer(self, tap: Tap, reply: Reply) -> None:
        self.said.append(reply)


async def test_a_chat_takes_no_pin_and_sends_to_the_page(world: World) -> None:
    demand(world, pin=PinFor.HIGH)
    await give_pin(world)
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET address = '99001'"))
    await risky(world)
    short = world.engine.tokens.short_code(world.engine.tokens.read(token_of(world), 600).jti)
    chat = Chat()
    for text in (short, f"{short} YES"):
        await hear(world.engine, chat, Tap(sender="99001", chat="99001", text=text))
    await world.settle()
    assert "PIN" in chat.said[-1].lines[0]
    assert world.action.runs == []
    await hear(world.engine, chat, Tap(sender="99001", chat="99001", text=f"{short} NO"))
    assert (
        await world.incident(world.engine.tokens.read(token_of(world), 600).incident_id)
    ).stage == "REJECTED"


# How many people


async def test_who_is_demoted_in_between_counts_no_more(world: World) -> None:
    await join(world, "Rudo")
    incident = await alerted(world, approvals=2, polls=1)
    async with await serving(world) as http:
        assert (await confirm(http, token_of(world, "Rudo"))).json()["approvals"] == {
            "required": 2,
            "given": 1,
        }
        await set_role(world, "Rudo", "viewer")
        page = await http.get(LINK, params={"token": token_of(world)}, headers=HTML)
        assert "0 of 2" in page.text
        assert "Who can approve here: 1" in page.text
        second = (await confirm(http, token_of(world))).json()
        assert second["authorized"] is False
        assert second["approvals"] == {"required": 2, "given": 1}
    await world.settle()
    assert world.action.runs == []
    assert "recovery_authorized" not in await world.types(incident)


async def test_who_is_removed_opens_and_decides_nothing(world: World) -> None:
    rudo = await join(world, "Rudo")
    await alerted(world, approvals=2, polls=1)
    token = token_of(world, "Rudo")
    await world.engine.store.transact(
        lambda tx: tx.execute("UPDATE contact SET verified_at = NULL WHERE id = ?", rudo.id)
    )
    async with await serving(world) as http:
        assert code(await confirm(http, token)) == (401, "TOKEN_INVALID")
        assert (await http.get(LINK, params={"token": token}, headers=HTML)).status_code == 401


async def test_one_person_by_two_channels_is_one_approval(world: World) -> None:
    other = await join(world, "T. Moyo", address="+263771234567")
    await world.engine.store.transact(
        lambda tx: tx.execute("UPDATE contact SET address = '263771234567' WHERE name = 'Tariro'")
    )
    await alerted(world, approvals=2, polls=1)
    async with await serving(world) as http:
        assert (await confirm(http, token_of(world))).json()["authorized"] is False
        again = await confirm(http, token_of(world, other.name))
        assert code(again) == (409, "NOT_AWAITING_APPROVAL")
        page = await http.get(LINK, params={"token": token_of(world, other.name)}, headers=HTML)
        assert "You approved" in page.text
    await world.settle()
    assert world.action.runs == []


async def test_a_viewer_is_sent_no_link_and_a_forged_form_decides_nothing(world: World) -> None:
    await join(world, "Vimbai", Role.VIEWER)
    incident = await alerted(world, polls=1)
    assert all(m.url is None for c, m, _ in world.channel.sent if c.name == "Vimbai")
    await set_role(world, "Tariro", "viewer")
    async with await serving(world) as http:
        for what in ("confirm", "reject", "break-glass", "reissue"):
            proof = world.engine.tokens.form_token(world.engine.tokens.read(token_of(world), 600).jti)
            form = {"token": token_of(world), "page": proof, "decision": what, "reason": "because"}
            answer = await http.post(f"{LINK}/{what}", data=form, headers=HTML)
            assert answer.status_code in (401, 403)
    assert (await world.incident(incident)).stage == "ALERTED"


async def test_one_rejection_outweighs_approvals_and_ends_their_links(world: World) -> None:
    for name in ("Rudo", "Chipo"):
        await join(world, name)
    incident = await alerted(world, approvals=3, polls=1)
    async with await serving(world) as http:
        await confirm(http, token_of(world))
        await confirm(http, token_of(world, "Rudo"))
        await http.post(f"{LINK}/reject", data={"token": token_of(world, "Chipo")})
        assert code(await confirm(http, token_of(world)))[0] == 409
    await world.settle()
    assert (await world.incident(incident)).stage == "REJECTED"
    assert world.action.runs == []


@pytest.mark.parametrize("round_", range(8))
async def test_approve_and_reject_at_once_end_in_one_of_the_two(world: World, round_: int) -> None:
    await join(world, "Rudo")
    incident = await alerted(world, polls=1)
    async with await serving(world) as http:
        tasks = [
            confirm(http, token_of(world)),
            http.post(f"{LINK}/reject", data={"token": token_of(world, "Rudo")}),
        ]
        answers = await asyncio.gather(*(tasks if round_ % 2 else reversed(tasks)))
    await world.settle()
    assert sorted(a.status_code for a in answers) == [200, 409]
    types = await world.types(incident)
    assert types.count("recovery_rejected") + types.count("recovery_authorized") == 1
    assert len(world.action.runs) == types.count("recovery_authorized")


async def test_two_people_at_once_are_two_approvals_and_one_run(world: World) -> None:
    for name in ("Rudo", "Chipo"):
        await join(world, name)
    incident = await alerted(world, approvals=2, polls=1)
    async with await serving(world) as http:
        names = ("Tariro", "Rudo", "Chipo")
        answers = await asyncio.gather(*(confirm(http, token_of(world, n)) for n in names for _ in range(5)))
    await world.settle()
    assert sorted(a.status_code for a in answers).count(200) == 2
    types = await world.types(incident)
    assert (types.count("recovery_approved"), types.count("recovery_authorized")) == (1, 1)
    assert len(world.action.runs) == 1


async def test_a_page_from_before_the_action_changed_runs_nothing(world: World) -> None:
    await alerted(world, polls=1)
    async with await serving(world) as http:
        page = (await http.get(LINK, params={"token": token_of(world)}, headers=HTML)).text
        proof = re.search(r'name="page" value="([^"]+)"', page)[1]  # type: ignore[index]
        other = replace(ACTION, params={"name": "restart-pool", "timeout_s": 31})
        world.engine.memory.offered[world.service.id] = (other,)
        form = {"token": token_of(world), "page": proof, "decision": "run"}
        answer = await http.post(f"{LINK}/confirm", data=form, headers=HTML)
    assert answer.status_code == 409
    assert "changed since" in answer.text
    await world.settle()
    assert world.action.runs == []


async def test_going_back_and_pressing_again_shows_what_the_first_press_did(world: World) -> None:
    await alerted(world, polls=1)
    async with await serving(world) as http:
        page = (await http.get(LINK, params={"token": token_of(world)}, headers=HTML)).text
        proof = re.search(r'name="page" value="([^"]+)"', page)[1]  # type: ignore[index]
        form = {"token": token_of(world), "page": proof, "decision": "run"}
        twice = [await http.post(f"{LINK}/confirm", data=form, headers=HTML) for _ in range(2)]
    assert [a.status_code for a in twice] == [303, 409]
    assert "Not done." not in twice[1].text
    await world.settle()
    assert len(world.action.runs) == 1


# The broken glass


async def test_an_admin_breaks_the_glass_and_everybody_reads_why(world: World) -> None:
    demand(world, break_glass=True)
    await join(world, "Chipo", Role.ADMIN)
    incident = await alerted(world, approvals=2, polls=1)
    async with await serving(world) as http:
        page = (await http.get(LINK, params={"token": token_of(world, "Chipo")}, headers=HTML)).text
        assert "It cannot wait for the others" in page
        mine = (await http.get(LINK, params={"token": token_of(world)}, headers=HTML)).text
        assert "It cannot wait" not in mine
        refused = await http.post(f"{LINK}/break-glass", data={"token": token_of(world), "reason": "because"})
        assert code(refused) == (403, "BREAK_GLASS_REFUSED")
        empty = await press(http, token_of(world, "Chipo"), "break-glass", reason=" ")
        assert "Say why" in empty.text
        done = await press(http, token_of(world, "Chipo"), "break-glass", reason="Customers cannot pay")
        assert done.status_code == 303
    await world.settle()
    event = next(e for e in await world.events(incident) if e.type == "recovery_authorized")
    assert event.data["break_glass"] == "Customers cannot pay"
    assert event.data["approvals"] == {"required": 2, "given": 1}
    told = [(c.name, m.text) for c, m, _ in world.channel.sent if m.kind == "authorized"]
    assert {name for name, _ in told} == {"Tariro", "Chipo"}
    assert all("Customers cannot pay" in text and "alone" in text for _, text in told)
    assert len(world.action.runs) == 1


async def test_an_admin_who_waits_in_vain_goes_on_alone_by_a_fresh_link(world: World) -> None:
    demand(world, break_glass=True)
    await join(world, "Chipo", Role.ADMIN)
    incident = await alerted(world, approvals=2, polls=1)
    used = token_of(world, "Chipo")
    async with await serving(world) as http:
        assert (await press(http, used, "confirm")).status_code == 303
        page = (await http.get(LINK, params={"token": used}, headers=HTML)).text
        assert "Nobody else answers?" in page
        assert (await press(http, used, "break-glass", reason="Nobody is awake")).status_code == 409
        assert (await press(http, used, "reissue")).status_code == 202
        await world.settle()
        fresh = token_of(world, "Chipo")
        assert fresh != used
        page = (await http.get(LINK, params={"token": fresh}, headers=HTML)).text
        assert "It cannot wait for the others" in page
        assert "http-equiv" not in page, "who writes a reason must not lose it"
        assert "/confirm" not in page
        assert (await press(http, fresh, "break-glass", reason="Nobody is awake")).status_code == 303
    await world.settle()
    event = next(e for e in await world.events(incident) if e.type == "recovery_authorized")
    assert (event.data["break_glass"], event.data["approvals"]["given"]) == ("Nobody is awake", 1)
    assert len(world.action.runs) == 1


async def test_the_glass_holds_where_the_operator_did_not_allow_it(world: World) -> None:
    await join(world, "Chipo", Role.ADMIN)
    await alerted(world, approvals=2, polls=1)
    async with await serving(world) as http:
        form = {"token": token_of(world, "Chipo"), "reason": "Customers cannot pay"}
        assert code(await http.post(f"{LINK}/break-glass", data=form)) == (403, "BREAK_GLASS_REFUSED")
        page = (await http.get(LINK, params={"token": token_of(world, "Chipo")}, headers=HTML)).text
        assert "It cannot wait" not in page
    rudo = Actor(kind="operator", id="os:rudo", name="rudo")
    incident = world.engine.tokens.read(token_of(world), 600).incident_id
    with pytest.raises(Refused, match="Only an admin"):
        await approve.confirm_as(world.engine, world.tenant, incident, rudo, HOW, reason="because it burns")


# Tests


async def test_who_asks_for_a_test_needs_another_to_approve_it(world: World) -> None:
    demand(world, self_approval=False)
    rudo = Actor(kind="operator", id="os:rudo", name="rudo")
    await join(world, "Rudo")
    incident = await rehearse(world.engine, world.tenant, rudo)
    await world.settle()
    with pytest.raises(SelfApproval):
        await approve.confirm_as(world.engine, world.tenant, incident, rudo, HOW)
    with pytest.raises(SelfApproval):
        await approve.confirm(world.engine, token_of(world, "Rudo"), HOW)
    await approve.confirm(world.engine, token_of(world), HOW)


# Where several read


async def test_a_link_that_several_read_decides_nothing_by_itself(world: World) -> None:
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET shared = 1"))
    incident = await alerted(world, polls=1)
    async with await serving(world) as http:
        page = await http.get(LINK, params={"token": token_of(world)}, headers=HTML)
        assert page.status_code == 200
        assert "Sign in to decide" in page.text
        assert 'value="run"' not in page.text
        for what in ("confirm", "reject"):
            answer = await http.post(f"{LINK}/{what}", data={"token": token_of(world)})
            assert code(answer) == (403, "SIGN_IN_NEEDED")
    with pytest.raises(SignInNeeded):
        await approve.confirm(world.engine, token_of(world), HOW, Proof(pin=PIN))
    await world.settle()
    assert (await world.incident(incident)).stage == "ALERTED"


async def test_the_terminal_follows_the_same_rules_but_the_pin(world: World) -> None:
    demand(world, pin=PinFor.ALWAYS)
    incident = await alerted(world, approvals=2, polls=1)
    rudo = Actor(kind="operator", id="os:rudo", name="rudo")
    state = await approve.confirm_as(world.engine, world.tenant, incident, rudo, HOW)
    assert len(state.approvals) == 1
    with pytest.raises(NotAwaitingApproval):
        await approve.confirm_as(world.engine, world.tenant, incident, rudo, HOW)
    await give_pin(world)
    with pytest.raises(PinNeeded):
        await approve.confirm(world.engine, token_of(world), HOW)


# Robots

ROBOTS = (
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1",
    "Twitterbot/1.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) SkypeUriPreview Preview/0.5",
    "Microsoft Office/16.0 SafeLinks",
    "curl/8.5.0",
    "",
)


async def test_two_hundred_looks_by_robots_change_nothing_and_the_human_s_tap_works(
    world: World, http: httpx2.AsyncClient
) -> None:
    incident = await alerted(world, polls=1)
    token = token_of(world)
    before = await world.incident(incident)
    for number in range(200):
        agent = {"user-agent": ROBOTS[number % len(ROBOTS)]}
        method = ("GET", "HEAD", "OPTIONS", "GET")[number // len(ROBOTS) % 4]
        accept = {"accept": ("*/*", "text/html", "application/json")[number % 3]}
        await http.request(method, LINK, params={"token": token}, headers={**agent, **accept})
        for what in ("confirm", "reject", "reissue", "break-glass"):
            answer = await http.get(f"{LINK}/{what}", params={"token": token}, headers=agent)
            assert answer.status_code == 405
    after = await world.incident(incident)
    assert replace(after, version=0, last_at=before.last_at) == replace(before, version=0)
    assert set((await world.types(incident))[before.version :]) == {"recovery_previewed"}
    assert world.action.runs == []
    assert (await confirm(http, token)).status_code == 200
    assert (await confirm(http, token)).status_code == 409
    await world.settle()
    assert len(world.action.runs) == 1
