"""A world whose people are reached through real channels, by providers on the loopback that call the real API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2

from alertengine import registry
from alertengine.core.model import Contact, Role
from alertengine.http import Http
from alertengine.store import directory
from alertengine.testing import RecordingChannel
from alertengine.testing.wire import webhooks
from alertengine.tools import Tools
from alertengine.web.app import create_app
from channels.benches import Bench
from world import World

PUBLIC = "https://alerts.example.com"
ADMIN = "admin-key-of-this-test"


@dataclass
class Wired:
    """`servers` and the recording channel `spare`, by the name of the channel."""

    world: World
    servers: Mapping[str, Any]
    spare: RecordingChannel
    http: httpx2.AsyncClient

    async def add(self, name: str, channel: str, address: str = "", **more: Any) -> Contact:
        """A verified contact."""
        engine = self.world.engine
        contact = Contact(
            id=engine.new_id("con"),
            tenant_id=self.world.tenant,
            name=name,
            channel=channel,
            address=address,
            **{"role": Role.APPROVER, "verified_at": engine.now(), **more},
        )
        await engine.store.transact(lambda tx: directory.add_contact(tx, contact))
        return contact

    async def told(self, incident: str, kind: str) -> list[Mapping[str, Any]]:
        return [e.data for e in await self.world.events(incident) if e.type == kind]


@asynccontextmanager
async def wired(world: World, *, public: bool = True, **benches: Bench) -> AsyncIterator[Wired]:
    """Replaces the world's people: nobody is told but those who are added."""
    async with AsyncExitStack() as stack:
        http = Http()
        stack.push_async_callback(http.close)
        tools = Tools(
            http=http,
            clock=world.clock,
            vault=world.engine.vault,
            new_id=world.engine.new_id,
            tenant_secrets=lambda purpose, tenant: (webhooks.SECRET,),
            public_url=PUBLIC if public else None,
        )
        spare = RecordingChannel(name="spare", kind="spare")
        channels: dict[str, Any] = {"spare": spare}
        servers = {}
        for name, bench in benches.items():
            servers[name] = server = await stack.enter_async_context(bench.server())
            model = registry.config_model(registry.CHANNELS, bench.kind)
            settings = model.model_validate({"kind": bench.kind, **bench.settings(server)})
            channels[name] = registry.load(registry.CHANNELS, bench.kind)(name, settings, tools)
        world.engine = replace(world.engine, channels=channels, base_url=PUBLIC)
        await world.engine.store.transact(lambda tx: tx.execute("DELETE FROM contact"))
        transport = httpx2.ASGITransport(app=create_app(world.engine, ADMIN))
        for server in servers.values():
            server.transport = transport
        client = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url=PUBLIC))
        yield Wired(world, servers, spare, client)
