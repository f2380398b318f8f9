"""The pages beside the decision on a phone: lists, stories, sign-in, PIN; and the story on paper."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import re
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest
import uvicorn

from alertengine.core.authority import PinFor, Rules
from alertengine.core.policy import Policy
from alertengine.daemon import serving
from alertengine.pins import seal_pin
from alertengine.pipeline import viewing
from alertengine.store import people
from alertengine.web.app import create_app
from link_states import POLICY, alerted, recovered, second_contact, token_of
from world import World

pytest.importorskip("selenium", reason="drives Chromium; pip install selenium")

from phone import HEIGHT, WIDTH, Phone, axe_script, chromium, phone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]
PIN = "739154"


@pytest.fixture
def policy() -> Policy:
    return POLICY


@pytest.fixture(scope="module")
def shared_phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with phone(tmp_path_factory.mktemp("reading")) as opened:
        yield opened


@pytest.fixture
def hand(shared_phone: Phone) -> Phone:
    shared_phone.become()
    shared_phone.open("about:blank")
    shared_phone.console()
    return shared_phone


@pytest.fixture
async def serve(world: World) -> Callable[[], contextlib.AbstractAsyncContextManager[str]]:
    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        """The pages of the engine as it is then, on a real port."""
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
            app = create_app(world.engine, "admin")
            config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
            async with serving(config, listener):
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"

    return serve


Serve = Callable[[], contextlib.AbstractAsyncContextManager[str]]


def fits(hand: Phone) -> None:
    """Nothing is cut off or too small to hit, and axe finds nothing, by day and by night."""
    assert hand.evaluate("document.documentElement.scrollWidth") == WIDTH
    small = "[...document.querySelectorAll('button,summary,select,input:not([type=hidden]),.list a')]"
    assert hand.evaluate(f"{small}.filter(e => e.offsetHeight && e.offsetHeight < 44).length") == 0
    assert hand.evaluate("performance.getEntriesByType('resource').length") == 0
    if axe_script() is not None:
        assert hand.complaints() == []
        hand.become(scheme="dark")
        assert hand.complaints("color-contrast") == []
    assert [line for line in hand.console() if "401" not in line] == []


async def test_list_and_story_fit_and_are_walked_without_scripts(
    world: World, hand: Phone, serve: Serve
) -> None:
    await recovered(world)
    query = (await viewing.new_link(world.engine, world.tenant, None)).partition("?")[2]
    async with serve() as root:

        def walk() -> None:
            for script in (True, False):
                hand.become(script=script)
                hand.open(f"{root}/incidents?{query}")
                assert "Incidents of payments" in hand.headline
                if script:
                    fits(hand)
                hand.tap("POST /pay is failing")
                assert "Tariro authorized restart-pool" in hand.text
                if script:
                    fits(hand)
                hand.tap("All incidents")
                hand.tap("Show")
                assert "POST /pay is failing" in hand.text

        await asyncio.to_thread(walk)


async def test_a_story_prints_whole_in_ink_on_white(world: World, hand: Phone, serve: Serve) -> None:
    token = await recovered(world)
    incident = world.engine.tokens.read(token, 86400).incident_id
    query = (await viewing.new_link(world.engine, world.tenant, None)).partition("?")[2]
    async with serve() as root:

        def printed() -> tuple[bytes, str]:
            hand.become(scheme="dark")
            hand.open(f"{root}/incident/{incident}?{query}")
            paper = {"preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
            pdf = base64.b64decode(hand._tell("Page.printToPDF", paper)["data"])
            hand._tell("Emulation.setEmulatedMedia", {"media": "print"})
            return pdf, hand.text

        pdf, text = await asyncio.to_thread(printed)
    events = await world.events(incident)
    assert pdf.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", _inflated(pdf))) <= 3
    for event in events:
        assert event.hash[:16] in text, "each entry carries the beginning of its leaf"
    assert "All incidents" not in text
    assert re.search(r"printed 2026-01-0[12] \d\d:\d\d:\d\d UTC", text)


def _inflated(pdf: bytes) -> bytes:
    """The file with its packed streams opened."""
    found = [pdf]
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            found.append(zlib.decompress(packed))
    return b"\n".join(found)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_the_pin_is_asked_for_in_the_second_step(
    world: World, hand: Phone, serve: Serve, script: bool
) -> None:
    world.engine = replace(world.engine, rules=Rules(pin=PinFor.ALWAYS, break_glass=True))
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET role = 'admin'"))
    await world.engine.store.transact(lambda tx: people.set_pin(tx, world.tenant, "Tariro", seal_pin(PIN)))
    await second_contact(world)
    await alerted(world, approvals=2)
    async with serve() as root:

        def decide() -> None:
            hand.become(script=script)
            hand.open(f"{root}/action/recover?token={token_of(world)}")
            hand.tap("Review: run restart-pool")
            if script:
                fits(hand)
            box = hand.driver.find_element("css selector", "form[action$=confirm] input[name=pin]")
            box.send_keys("111222")
            hand.tap("Run restart-pool now")
            assert "This is not your PIN" in hand.text
            assert world.action.runs == []
            hand.tap("It cannot wait for the others")
            panel = (
                hand.evaluate("document.getElementById('decide').getBoundingClientRect().height")
                if script
                else 0
            )
            assert panel <= HEIGHT, "all of it can be reached"
            glass = hand.driver.find_element("css selector", "form[action$=break-glass]")
            glass.find_element("name", "reason").send_keys("Customers cannot pay")
            glass.find_element("name", "pin").send_keys(PIN)
            hand.tap("Run restart-pool alone")
            hand.until("restart-pool")

        await asyncio.to_thread(decide)
    await world.settle()
    assert len(world.action.runs) == 1


async def test_where_several_read_the_page_asks_to_sign_in(world: World, hand: Phone, serve: Serve) -> None:
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET shared = 1"))
    await alerted(world)
    async with serve() as root:

        def look() -> None:
            hand.open(f"{root}/action/recover?token={token_of(world)}")
            assert "Sign in to decide" in hand.text
            assert hand.evaluate("document.querySelectorAll('button').length") == 0
            fits(hand)
            for path in ("signin/out", "pin", "signin", "incidents"):
                hand.become()
                hand.open(f"{root}/{path}")
                fits(hand)

        await asyncio.to_thread(look)


async def test_the_pages_weigh_little(world: World, hand: Phone, serve: Serve) -> None:
    import httpx2

    token = await recovered(world)
    incident = world.engine.tokens.read(token, 86400).incident_id
    query = (await viewing.new_link(world.engine, world.tenant, None)).partition("?")[2]
    async with serve() as root, httpx2.AsyncClient(headers={"accept": "text/html"}, timeout=60) as client:
        for path in (f"incidents?{query}", f"incident/{incident}?{query}", f"action/recover?token={token}"):
            page = await client.get(f"{root}/{path}")
            weight = len(gzip.compress(page.content, 6))
            print(f"/{path.partition('?')[0]} weighs {weight} bytes compressed, {len(page.content)} plain")
            assert weight <= 14_000
