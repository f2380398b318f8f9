"""Take the pictures that the README shows: python tests/browser/pictures.py docs/images"""

from __future__ import annotations

import asyncio
import contextlib
import html
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1]))

from phone import Phone, phone

from alertengine.daemon import serving
from alertengine.web.app import create_app
from link_states import POLICY, alerted, recovered, token_of
from world import World, open_world

WIDTH, HEIGHT = 360, 740
CHAT = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>
body{{margin:0;padding:14px 12px 18px;background:#e9e4dc;font:15px/1.42 system-ui,sans-serif;color:#111}}
p{{margin:0 0 10px;text-align:center;font-size:12px;color:#555}}
div{{background:#fff;border-radius:4px 14px 14px;padding:10px 12px;box-shadow:0 1px 2px #0003;overflow-wrap:anywhere}}
b{{display:block}} i{{color:#0b4aa2;font-style:normal}} small{{display:block;text-align:right;color:#666}}
</style><p>Today</p><div>{text}<small>03:19</small></div>"""


async def awaiting(world: World) -> str:
    await alerted(world, polls=175)
    return token_of(world)


async def healthy_again(world: World) -> str:
    token = await recovered(world, polls=165)
    for _ in range(3):
        await world.tick()
    return token


def bubble(world: World) -> str:
    """The alert as a chat shows it; a long link is cut as chats cut it."""
    message = next(m for _, m, _ in world.channel.sent if m.kind == "alert")
    first, *rest = message.text.splitlines()
    lines = [f"<b>{html.escape(first)}</b>"]
    for line in rest:
        words, address, link = html.escape(line).partition("http")
        lines.append(f"{words}<i>{address}{link[:44]}…</i><br>" if address else f"{words}<br>")
    return CHAT.format(text="".join(lines))


def show(hand: Phone, url: str, file: Path, scheme: str = "light", *, height: int = HEIGHT) -> None:
    hand.become(scheme=scheme, width=WIDTH, height=height)
    hand.open(url)
    hand.picture(file)


def review(hand: Phone, file: Path) -> None:
    """The second step, further down the same page."""
    hand.tap("Review: run restart-pool")
    hand.evaluate("document.getElementById('h-will').scrollIntoView()")
    hand.picture(file)


def all_of(hand: Phone, url: str, chat: Path, to: Path) -> None:
    show(hand, url, to / "page-awaiting.png")
    review(hand, to / "page-confirm.png")
    show(hand, chat.as_uri(), to / "message.png", height=100)
    show(
        hand, chat.as_uri(), to / "message.png", height=hand.evaluate("document.documentElement.scrollHeight")
    )


@contextlib.asynccontextmanager
async def address(world: World, token: str) -> AsyncIterator[str]:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        app = create_app(world.engine, "admin")
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        async with serving(config, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/action/recover?token={token}"


async def main(to: Path) -> None:
    with tempfile.TemporaryDirectory() as name, phone(Path(name, "profile")) as hand:
        chat = Path(name, "chat.html")
        for folder in ("a", "b"):
            Path(name, folder).mkdir()
        async with open_world(Path(name, "a"), POLICY) as world:
            token = await awaiting(world)
            chat.write_text(bubble(world))
            async with address(world, token) as url:
                await asyncio.to_thread(all_of, hand, url, chat, to)
        async with (
            open_world(Path(name, "b"), POLICY) as world,
            address(world, await healthy_again(world)) as url,
        ):
            await asyncio.to_thread(show, hand, url, to / "page-recovered.png", "dark")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
