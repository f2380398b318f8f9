"""Pages speak the language of whom they are for: of a link's holder, of who is signed in, else of the browser."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import cycle

import httpx2
import pytest
from speaking import left_in_english

from alertengine.core.language import LANGUAGES
from alertengine.oidc import Client, OpenId
from alertengine.pipeline import viewing
from alertengine.pipeline.signin import begin_session
from alertengine.ports import Identity
from alertengine.store import people
from alertengine.web.app import create_app
from link_states import STATES, recovered
from world import World

LINK = "/action/recover"
MAILBOX = "tariro@example.com"


OTHERS = cycle(code for code in LANGUAGES if code != "en")


@pytest.mark.parametrize(("state", "code"), [(state, next(OTHERS)) for state in STATES])
async def test_each_state_is_in_the_persons_language(world: World, state: str, code: str) -> None:
    token = await STATES[state](world)
    await _speak(world, code)
    async with _browser(world) as http:
        headers = {"accept": "text/html", "accept-language": code}
        html = (await http.get(LINK, params={"token": token}, headers=headers)).text

    assert f'<html lang="{code}">' in html
    assert left_in_english(html, code) == []


async def test_a_link_of_nobody_is_answered_in_the_browsers_language(world: World) -> None:
    headers = {"accept": "text/html", "accept-language": "de-DE,sn;q=0.9,en;q=0.5"}
    async with _browser(world) as http:
        answer = await http.get(LINK, params={"token": "x"}, headers=headers)

    assert '<html lang="sn">' in answer.text
    assert "Link iyi haishandi" in answer.text


async def test_a_refusal_is_told_in_the_persons_language(world: World) -> None:
    token = await STATES["awaiting"](world)
    await _speak(world, "fr")
    async with _browser(world) as http:
        form = {"token": token, "page": "forged", "decision": "reissue"}
        page = (await http.get(LINK, params={"token": token}, headers={"accept": "text/html"})).text
        form["page"] = re.search(r'name="page" value="([^"]+)"', page)[1]  # type: ignore[index]
        answer = await http.post(f"{LINK}/reissue", data=form, headers={"accept": "text/html"})

    assert "Pas fait." in answer.text
    assert "Ce lien est encore valable ; utilisez-le." in answer.text


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
async def test_looking_signing_in_and_pins_are_in_the_persons_language(world: World, code: str) -> None:
    await recovered(world)
    await _speak(world, code)
    [contact] = world.onboarded.contacts
    await world.engine.store.transact(lambda tx: people.set_email(tx, world.tenant, contact.name, MAILBOX))
    provider = Client(issuer="http://127.0.0.1:1", client_id="alertengine")
    known = OpenId(provider, world.engine.http, world.clock, "the-secret-of-this-test")
    world.engine = replace(world.engine, identities=known)
    cookie = await begin_session(
        world.engine, Identity(email=MAILBOX, tenants=None, back="", occasion="once")
    )
    headers = {"accept": "text/html", "accept-language": code}
    listed = await viewing.new_link(world.engine, world.tenant, contact)
    async with _browser(world) as http:
        seen = [await http.get(listed, headers=headers)]
        story = re.search(r'href="(incident/[^"]+)"', seen[0].text)
        assert story
        seen.append(await http.get(f"/{story[1]}", headers=headers))
        seen += [
            await http.get(path, headers=headers) for path in ("/pin", "/signin/out", "/signin/callback")
        ]
        http.cookies.set("ae-session", cookie)
        seen += [await http.get(path, headers=headers) for path in ("/pin", "/incidents")]
        seen.append(await http.post("/pin", data={"pin": "1", "again": "2"}, headers=headers))

    assert [answer.status_code for answer in seen] == [200, 200, 401, 200, 401, 200, 200, 422]
    for answer in seen:
        assert f'<html lang="{code}">' in answer.text
        assert left_in_english(answer.text, code) == [], answer.url


async def test_a_link_that_is_nobody_s_is_in_the_browsers_language(world: World) -> None:
    url = await viewing.new_link(world.engine, world.tenant, None)
    async with _browser(world) as http:
        answer = await http.get(url, headers={"accept": "text/html", "accept-language": "fr"})
    assert "Incidents de payments" in answer.text
    assert "la personne à qui l’opérateur l’a donné" in answer.text


def _browser(world: World) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=create_app(world.engine, "admin"))
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


async def _speak(world: World, code: str) -> None:
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET language = ?", code))


async def test_a_cause_that_is_not_clear_is_not_called_likely(world: World) -> None:
    incident = await world.fail()
    diagnosis = (await world.incident(incident)).diagnosis
    async with _browser(world) as http:
        page = await http.get(
            LINK, params={"token": world.channel.last_token}, headers={"accept": "text/html"}
        )

    assert diagnosis is not None
    assert diagnosis["cause"] == "unclear"
    assert "Not clear yet." in page.text
    assert "Likely:" not in page.text
