"""A FastAPI app that AlertEngine watches and can heal.

    pip install ./sdk fastapi uvicorn
    ALERTENGINE_SECRET=change-me-to-32-random-characters uvicorn --app-dir examples fastapi_app:app

Then watch it:

    alertengine serve &
    alertengine onboard --service shop --health-url http://127.0.0.1:8000/health/alerts \
        --service-secret change-me-to-32-random-characters --contact you= --channel console
"""

from __future__ import annotations

import asyncio
import random

from fastapi import FastAPI, HTTPException

from fastapi_alertengine import instrument

app = FastAPI(title="shop")
monitor = instrument(app, service="shop")  # that's it: GET /health/alerts
monitor.mark("startup", version="1.0.0")

cache = {"stale": False}


@app.get("/price/{item}")
async def price(item: str) -> dict[str, object]:
    with monitor.dependency("cache", "prices") as call:
        await asyncio.sleep(random.uniform(0.002, 0.01))
        if cache["stale"]:
            call.fail("stale")
            raise HTTPException(503, "prices are stale")
    return {"item": item, "price": 12.5}


@app.post("/break")
async def break_it() -> dict[str, str]:
    """What goes wrong in real life all by itself."""
    cache["stale"] = True
    return {"status": "the price cache is stale now; ask for a few prices and look at /health/alerts"}


@monitor.recovery("flush-cache", preview=lambda: f"drops the price cache (stale: {cache['stale']})")
def flush_cache() -> str:
    """drop the price cache and fill it anew"""
    cache["stale"] = False
    return "the cache is fresh"
