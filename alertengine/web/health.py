"""How the daemon is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from alertengine import __version__
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.status import health, loop, status
from alertengine.web.auth import Admin


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()
    started = engine.clock.monotonic()

    @routes.get("/health")
    async def get_health() -> dict[str, Any]:
        """Whether the daemon works. For anyone; tells nothing of any tenant."""
        state, _ = health(engine)
        return {
            "status": state,
            "version": __version__,
            "uptime_s": round(engine.clock.monotonic() - started, 3),
            "store": {"state": "failing" if engine.store.trouble else "ok", "kind": "sqlite"},
            "redis": {"configured": False, "connected": False},
            "loop": loop(engine),
        }

    @routes.get("/status")
    async def get_status(who: Admin) -> dict[str, Any]:
        """Services, mode, queue and channels."""
        return await status(engine)

    return routes
