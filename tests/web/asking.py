"""The API of a world, asked with the admin key, a tenant's key or none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from alertengine.pipeline.engine import Engine
from alertengine.web.app import create_app

ADMIN = "admin-key-of-this-test"
Json = dict[str, Any]


class Asking:
    """`await ask("GET", "/status")`; `key` None asks without one."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def __call__(
        self, method: str, path: str, body: Json | None = None, *, key: str | None = ADMIN, **headers: str
    ) -> httpx2.Response:
        given = {"authorization": f"Bearer {key}"} if key is not None else {}
        return await self.http.request(method, path, json=body, headers={**given, **headers})

    async def onboard(self, name: str = "orders", **more: Any) -> Json:
        body = {"service_name": name, "health_url": "http://127.0.0.1:2/health/alerts", **more}
        answer = await self("POST", "/onboard", body)
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]


@asynccontextmanager
async def asking(
    engine: Engine, client: tuple[str, int] = ("192.0.2.1", 4000), **more: Any
) -> AsyncIterator[Asking]:
    transport = httpx2.ASGITransport(app=create_app(engine, ADMIN, **more), client=client)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Asking(http)
