"""A plain Starlette app, instrumented. Run it with `uvicorn starlette_app:app`."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fastapi_alertengine import instrument


async def item(request: Request) -> JSONResponse:
    with monitor.dependency("db", "items"):
        await asyncio.sleep(0.01)
    return JSONResponse({"id": request.path_params["id"]})


app = Starlette(routes=[Route("/items/{id:int}", item)])
monitor = instrument(app, service="items")  # GET /health/alerts


@monitor.recovery("drop-cache", preview=lambda: "would empty the cache of 1 process")
async def drop_cache() -> str:
    """Empties the cache."""
    return "emptied"
