"""Every state of the page on one sheet, as a small phone shows it: python tests/browser/sheet.py docs/images"""

from __future__ import annotations

import asyncio
import base64
import html
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from phone import Phone, phone
from pictures import address

from alertengine.core.authority import PinFor, Rules
from alertengine.pins import seal_pin
from alertengine.pipeline import viewing
from alertengine.store import people
from link_states import POLICY, STATES, alerted, recovered, second_contact, token_of
from world import World, open_world

WIDTH, HEIGHT, SCALE = 320, 640, 0.6
ACROSS = 6
CELL = "<figure><img src='{file}' width={width} height={height}><figcaption>{name}</figcaption></figure>"
SHEET = """<!doctype html><meta charset="utf-8"><style>body{{margin:8px;background:#888;display:grid;gap:8px;
grid-template-columns:repeat({across},{width}px);font:12px system-ui,sans-serif}}figure{{margin:0;background:#fff}}
img{{display:block}}figcaption{{padding:3px 5px}}</style>{cells}"""

Prepare = Callable[[World], Awaitable[str]]


async def pin(world: World) -> str:
    world.engine = replace(world.engine, rules=Rules(pin=PinFor.ALWAYS, break_glass=True))
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET role = 'admin'"))
    await world.engine.store.transact(
        lambda tx: people.set_pin(tx, world.tenant, "Tariro", seal_pin("739154"))
    )
    await second_contact(world)
    await alerted(world, approvals=2)
    return token_of(world)


async def several_read(world: World) -> str:
    somebody: Any = object()
    world.engine = replace(world.engine, identities=somebody)
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET shared = 1"))
    await alerted(world)
    return token_of(world)


def look(path: str) -> Prepare:
    async def prepare(world: World) -> str:
        token = await recovered(world)
        incident = world.engine.tokens.read(token, 86400).incident_id
        url = await viewing.new_link(world.engine, world.tenant, None)
        return path.format(incident=incident) + "?" + url.partition("?")[2]

    return prepare


MORE: Mapping[str, Prepare] = {
    "pin, several needed": pin,
    "several read there": several_read,
    "list": look("incidents"),
    "story": look("incident/{incident}"),
}


def shoot(hand: Phone, url: str, file: Path, scheme: str) -> None:
    hand.become(scheme=scheme, width=WIDTH, height=HEIGHT, scale=1)
    hand.open(url)
    if "pin" in file.name:
        hand.tap("Review: run")
    hand.picture(file)


async def take(hand: Phone, folder: Path, name: str, prepare: Prepare, scheme: str) -> Path:
    """One state, really gone to."""
    world_folder = folder / f"world {name} {scheme}"
    world_folder.mkdir()
    file = folder / f"{name} {scheme}.png"
    async with open_world(world_folder, POLICY) as world:
        given = await prepare(world)
        async with address(world, given) as url:
            root = url.partition("/action")[0]
            await asyncio.to_thread(shoot, hand, f"{root}/{given}" if "?" in given else url, file, scheme)
    return file


def compose(hand: Phone, folder: Path, files: list[Path], to: Path) -> None:
    width, height = round(WIDTH * SCALE), round(HEIGHT * SCALE)
    cells = [
        CELL.format(file=f.as_uri(), width=width, height=height, name=html.escape(f.stem)) for f in files
    ]
    sheet = folder / "sheet.html"
    sheet.write_text(SHEET.format(across=ACROSS, width=width, cells="".join(cells)))
    rows = -(-len(files) // ACROSS)
    hand.become(width=ACROSS * (width + 8) + 8, height=rows * (height + 30) + 8, scale=1)
    hand.open(sheet.as_uri())
    shot = hand._tell("Page.captureScreenshot", {"format": "webp", "quality": 55})
    to.write_bytes(base64.b64decode(shot["data"]))


async def main(to: Path) -> None:
    with tempfile.TemporaryDirectory() as name, phone(Path(name, "profile")) as hand:
        for scheme in ("light", "dark"):
            files = [
                await take(hand, Path(name), state, prepare, scheme)
                for state, prepare in {**STATES, **MORE}.items()
            ]
            await asyncio.to_thread(compose, hand, Path(name), files, to / f"states-{scheme}.webp")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
