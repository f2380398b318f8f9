"""The page speaks the language of the person its link is for."""

from __future__ import annotations

import re
from itertools import cycle

import httpx2
import pytest

from alertengine.core.language import ENGLISH, LANGUAGES, placeholders, words
from alertengine.web.app import create_app
from link_states import STATES
from world import World

LINK = "/action/recover"


OTHERS = cycle(code for code in LANGUAGES if code != "en")


@pytest.mark.parametrize(("state", "code"), [(state, next(OTHERS)) for state in STATES])
async def test_each_state_is_in_the_persons_language(world: World, state: str, code: str) -> None:
    token = await STATES[state](world)
    await _speak(world, code)
    async with _browser(world) as http:
        headers = {"accept": "text/html", "accept-language": code}
        html = (await http.get(LINK, params={"token": token}, headers=headers)).text
    text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    english = [
        said
        for key, said in ENGLISH.texts.items()
        if len(said) > 9 and not placeholders(said) and said != words(code).texts[key]
    ]

    assert f'<html lang="{code}">' in html
    assert [said for said in english if said in text] == []


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
