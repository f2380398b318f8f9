"""The whole daemon, listening to a bot over the network."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alertengine.app import load_settings
from alertengine.daemon import running
from alertengine.testing.wire import telegram


async def test_a_daemon_hears_what_is_pressed_and_ends_while_it_listens(tmp_path: Path) -> None:
    async with telegram.TelegramServer() as server:
        file = tmp_path / "alertengine.toml"
        file.write_text(
            f'[server]\nport = 0\n[channels.tg]\nkind = "telegram"\nbot_token = "{telegram.TOKEN}"\n'
            f'base_url = "{server.url}"\n'
        )
        settings = load_settings(file, {"HOME": str(tmp_path)}, {"data_dir": tmp_path / "data"})
        async with running(settings) as daemon:
            async with asyncio.timeout(10):
                while not server.requests:
                    await asyncio.sleep(0.01)
                await server.press("see:lnk_unknown", 4004)
                while not any(
                    "getUpdates" in r.target and b'"offset": 501' in r.body for r in server.requests
                ):
                    await asyncio.sleep(0.01)
            assert daemon.engine.channels["tg"].name == "tg"

        assert server.problems == []
