"""The demo's phone: a webhook receiver that checks each signature and keeps each message."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alertengine.ports import Clock
from alertengine.signing import webhook_verified


class Phone:
    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._news = asyncio.Condition()
        self.messages: list[dict[str, Any]] = []

    def server(self) -> uvicorn.Config:
        app = Starlette(routes=[Route("/messages", self._receive, methods=["POST"])])
        return uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")

    async def first(self, kind: str) -> dict[str, Any]:
        """Wait for a message of this type."""
        async with self._news:
            while True:
                for message in self.messages:
                    if message["type"] == kind:
                        return message
                await self._news.wait()

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        if not webhook_verified(self._secret, request.headers, body, self._clock.now().timestamp()):
            return Response(status_code=401)
        async with self._news:
            self.messages.append(json.loads(body))
            self._news.notify_all()
        return Response(status_code=204)
