"""The page on a phone: headless Chromium at 320 px, over HTTP, with and without scripts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvicorn

from alertengine.core.policy import Policy
from alertengine.daemon import serving
from alertengine.errors import StoreUnavailable
from alertengine.web.app import create_app
from link_states import POLICY, STATES, alerted, awaiting, expired_open, token_of
from world import World

pytest.importorskip("selenium", reason="drives Chromium; pip install selenium")

from phone import HEIGHT, WIDTH, Phone, axe_script, chromium, phone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]
needs_axe = pytest.mark.skipif(
    axe_script() is None, reason="needs axe-core: pip install axe-playwright-python, or AXE_JS=FILE"
)


@pytest.fixture
def policy() -> Policy:
    return POLICY


@pytest.fixture(scope="module")
def shared_phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with phone(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def hand(shared_phone: Phone) -> Phone:
    shared_phone.become()
    shared_phone.open("about:blank")
    shared_phone.console()
    return shared_phone


@pytest.fixture
async def link(world: World) -> AsyncIterator[Callable[[str], str]]:
    """The daemon's pages on a real port; makes a token into an address."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        config = uvicorn.Config(
            create_app(world.engine, "admin"), log_config=None, access_log=False, lifespan="off"
        )
        port = listener.getsockname()[1]
        async with serving(config, listener):
            yield lambda token: f"http://127.0.0.1:{port}/action/recover?token={token}"


Link = Callable[[str], str]
PROBE = """(() => ({
    wide: document.documentElement.scrollWidth,
    small: [...document.querySelectorAll("button, summary")].filter(e => e.offsetHeight && e.offsetHeight < 44).length,
    asked: performance.getEntriesByType("resource").length,
    lang: document.documentElement.lang,
}))()"""


@needs_axe
@pytest.mark.parametrize("state", STATES)
async def test_every_state_fits_a_small_phone_and_everybody(
    world: World, link: Link, hand: Phone, state: str
) -> None:
    url = link(await STATES[state](world))

    def look() -> None:
        hand.open(url)
        assert hand.evaluate(PROBE) == {"wide": WIDTH, "small": 0, "asked": 0, "lang": "en"}
        hand.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert hand.evaluate("document.documentElement.scrollWidth") == WIDTH
        assert hand.complaints() == []
        hand.become(scheme="dark")
        assert hand.complaints("color-contrast") == []
        # The 401 of a link that is over is logged by the browser itself; a policy violation would be too.
        assert [line for line in hand.console() if "401" not in line] == []

    await asyncio.to_thread(look)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_two_taps_run_it_and_the_page_follows_to_the_end(
    world: World, link: Link, hand: Phone, script: bool
) -> None:
    url = link(await awaiting(world))

    def decide() -> None:
        hand.become(script=script)
        hand.open(url)
        assert "is failing" in hand.headline
        hand.tap("Review: run restart-pool")
        assert world.action.runs == []
        hand.tap("Run restart-pool now")
        hand.until("restart-pool")

    await asyncio.to_thread(decide)
    await world.settle()
    await asyncio.to_thread(hand.until, "Is payments healthy again?")
    await world.heal()
    await asyncio.to_thread(hand.until, "payments is healthy again")
    assert len(world.action.runs) == 1
    assert hand.driver.current_url == url
    assert hand.console() == []


async def test_do_not_run_runs_nothing(world: World, link: Link, hand: Phone) -> None:
    url = link(await awaiting(world))

    def decide() -> None:
        hand.become(script=False)
        hand.open(url)
        hand.tap("Review: run restart-pool")
        hand.tap("Do not run")
        hand.until("You decided not to run it")

    await asyncio.to_thread(decide)
    await world.settle()
    assert world.action.runs == []


async def test_a_hasty_double_tap_on_review_decides_nothing(world: World, link: Link, hand: Phone) -> None:
    url = link(await awaiting(world))

    def tap_twice() -> str:
        hand.open(url)
        box = hand.evaluate(
            "(() => { const r = document.querySelector('summary.go').getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        hand.tap("Review: run restart-pool")
        tag: str = hand.evaluate(f"document.elementFromPoint({box[0]}, {box[1]}).tagName")
        return tag

    assert await asyncio.to_thread(tap_twice) not in ("BUTTON", "SUMMARY", "SPAN", "A")


async def test_an_expired_link_is_renewed_by_one_tap(world: World, link: Link, hand: Phone) -> None:
    url = link(await expired_open(world))

    def ask() -> None:
        hand.become(script=False)
        hand.open(url)
        hand.tap("Send me a fresh link")
        hand.until("A fresh link is on its way")

    await asyncio.to_thread(ask)
    await world.settle()
    assert "link" in world.channel.kinds


async def test_what_cannot_be_recorded_says_that_nothing_runs(
    world: World, link: Link, hand: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = link(await awaiting(world))

    async def full(*_: object) -> None:
        raise StoreUnavailable

    def decide() -> None:
        hand.open(url)
        hand.tap("Review: run restart-pool")
        hand.tap("Run restart-pool now")
        hand.until("so nothing runs")
        if axe_script() is not None:
            assert hand.complaints() == []

    with monkeypatch.context() as broken:
        broken.setattr(type(world.engine.store), "transact", full)
        await asyncio.to_thread(decide)
    # Following goes on by itself; once the store can be written, the decision is asked for again.
    await asyncio.to_thread(hand.until, "is failing")
    assert world.action.runs == []


async def test_long_names_and_commands_stay_inside(world: World, link: Link, hand: Phone) -> None:
    await alerted(world)
    long = "restart-" + "payments" * 12
    world.action.describe = lambda spec: f"/usr/bin/{long} " + "--flag=value" * 150  # type: ignore[method-assign]
    url = link(token_of(world))

    def look() -> tuple[int, int]:
        hand.open(url)
        hand.tap("Review: run restart-pool")
        wide = hand.evaluate("document.documentElement.scrollWidth")
        button = hand.evaluate("document.querySelector('button.run').getBoundingClientRect().bottom")
        return wide, button

    wide, button = await asyncio.to_thread(look)
    assert wide == WIDTH
    assert button < HEIGHT, "the button can be reached without scrolling, however long the command is"


async def test_times_are_shown_as_the_phone_has_them(world: World, link: Link, hand: Phone) -> None:
    url = link(await awaiting(world))

    def look() -> str:
        hand.become(zone="Africa/Harare")
        hand.open(url)
        return hand.text

    text = await asyncio.to_thread(look)
    assert "Since 05:05," in text
    assert "Times are yours: UTC+02:00." in text
    assert "left)" in text
