"""A fuzzer that holds one tenant's key, over every operation: it finds nothing of the other and changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import Asking, asking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertengine.core.policy import Policy
from alertengine.store import api_keys, directory, incidents
from world import World, open_world

MARK = "zq7"
"""In everything of the victim's that it did not tell."""


class Arena:
    """A world on a loop of its own, for hypothesis calls plain functions."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._world = open_world(folder, Policy())
        self.world: World = self.run(self._world.__aenter__())
        self._asking = asking(self.world.engine)
        self.ask: Asking = self.run(self._asking.__aenter__())
        self.run(self._set_up())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _set_up(self) -> None:
        contacts = [{"name": f"{MARK}-person", "channel": "console", "address": f"{MARK}-address"}]
        self.victim = await self.ask.onboard(f"{MARK}-shop", contacts=contacts)
        made = await self.ask("POST", f"/tenant/{self.victim['tenant_id']}/test")
        self.incident = made.json()["incident_id"]
        await self.world.settle()
        mine = (await self.ask("POST", f"/tenant/{self.world.tenant}/test")).json()["incident_id"]
        await self.world.settle()
        fetch = self.world.engine.store.fetch
        [person] = await fetch(directory.contacts(self.victim["tenant_id"]))
        [own] = await fetch(directory.contacts(self.world.tenant))
        [key] = await fetch(api_keys.of_tenant(self.victim["tenant_id"]))
        self.ids = [self.victim["tenant_id"], self.incident, person.id, self.victim["service_id"], key.id]
        self.ids += [
            self.world.tenant,
            mine,
            own.id,
            self.world.service.id,
            "x",
            "",
            "..",
            "%00",
            "🦓",
            "a/b",
            "0",
        ]
        self.document = self.world.engine and (await self.ask("GET", "/openapi.json")).json()
        self.operations = [
            (m.upper(), p, o) for p, ops in self.document["paths"].items() for m, o in ops.items()
        ]
        self.before = await self.state()

    async def state(self) -> Any:
        """Everything of the victim's."""
        fetch, tenant = self.world.engine.store.fetch, self.victim["tenant_id"]
        rows = [directory.tenant(tenant), directory.services(tenant), directory.contacts(tenant)]
        keys = await fetch(api_keys.of_tenant(tenant))
        events = await fetch(incidents.events(tenant, self.incident))
        return [await fetch(row) for row in rows], [k.id for k in keys], [e.hash for e in events]

    def close(self) -> None:
        self.run(self._asking.__aexit__(None, None, None))
        self.run(self._world.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    opened = Arena(tmp_path_factory.mktemp("arena"))
    yield opened
    opened.close()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=30),
    st.just("approver"),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_one_key_finds_nothing_of_the_other(arena: Arena, data: st.DataObject) -> None:
    method, path, operation = data.draw(st.sampled_from(arena.operations))
    ids = st.sampled_from(arena.ids)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", data.draw(ids))
    names = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
    query = [(name, str(data.draw(ids | SCALARS))) for name in names if data.draw(st.booleans())]
    body = data.draw(st.one_of(st.none(), _bodies(arena, operation, ids)))
    raw = None if body is None else json.dumps(body)
    headers = {"authorization": f"Bearer {arena.world.onboarded.api_key}", "content-type": "application/json"}
    answer = arena.run(
        arena.ask.http.request(method, path or "/", params=query, content=raw, headers=headers)
    )

    assert answer.status_code < 500, answer.text
    assert MARK not in answer.text
    assert MARK not in str(answer.headers)


def _bodies(arena: Arena, operation: Any, ids: Any) -> Any:
    """The fields that the operation takes, with ids and nonsense in them; sometimes one more."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    names = [*_fields(arena.document, content.get("schema", {})), "tenant_id", "plan"]
    return st.dictionaries(st.sampled_from(names), ids | SCALARS | st.lists(ids, max_size=2), max_size=6)


def _fields(document: Any, schema: Any) -> list[str]:
    for option in schema.get("anyOf", [schema]):
        if "$ref" in option:
            named = document["components"]["schemas"][option["$ref"].rpartition("/")[2]]
            return list(named.get("properties", {}))
    return []


def test_and_nothing_of_it_was_changed(arena: Arena) -> None:
    assert arena.run(arena.state()) == arena.before
