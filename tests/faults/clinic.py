"""A real app with the SDK, in a process of its own: it can be broken, healed by its hook, and it can die of it.

Run as `python clinic.py`; says its port. The SDK's secret is in ALERTENGINE_SECRET.
"""

from __future__ import annotations

import os
import socket
import time

import uvicorn
from fastapi import FastAPI, HTTPException

from fastapi_alertengine import instrument

app = FastAPI()
monitor = instrument(app, service="clinic")
state = {"broken": False, "resets": 0}


@app.post("/pay")
def pay() -> dict[str, str]:
    if state["broken"]:
        raise HTTPException(500, "no connection is free")
    return {"status": "paid"}


@app.post("/break")
def break_it() -> dict[str, bool]:
    state["broken"] = True
    return state


@app.get("/state")
def look() -> dict[str, bool]:
    return state


@monitor.recovery("reset", preview=lambda: f"frees connections; {state['resets']} resets before")
def reset() -> str:
    """free the stuck connections"""
    state["resets"] += 1
    state["broken"] = False
    return "freed"


@monitor.recovery("die")
def die() -> None:
    """end the process in the middle of it"""
    time.sleep(0.2)
    os._exit(1)


@monitor.recovery("raise")
def fail() -> None:
    """raise"""
    raise RuntimeError("the pool is locked")


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
