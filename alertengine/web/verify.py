"""Proof of an address: the code that was sent there, typed back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from alertengine.core.gate import Gate
from alertengine.errors import RateLimited
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.verify import confirm

CALLERS = 1000


class VerifyBody(BaseModel):
    """`phone`: the address that the code was sent to, or the contact's id."""

    model_config = ConfigDict(extra="forbid")

    phone: Annotated[str, Field(min_length=1, max_length=200)]
    code: Annotated[str, Field(min_length=1, max_length=20)]


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()
    gates: dict[str, Gate] = {}

    @routes.post("/verify")
    async def post_verify(body: VerifyBody, request: Request) -> dict[str, Any]:
        """Confirm a contact by the code that they were sent. Five tries a code."""
        on_socket = request.app.state.local
        if not on_socket:
            _check_rate(gates, request.client.host if request.client else "", engine.clock.monotonic())
        contact = await confirm(engine, body.phone, body.code, by_name=on_socket)
        return {"verified": True, "contact_id": contact.id, "name": contact.name, "channel": contact.channel}

    return routes


def _check_rate(gates: dict[str, Gate], caller: str, now: float) -> None:
    gate = gates.pop(caller, None) or Gate(per_s=0.2, burst=20, at=now)
    if gate.wait_s(now):
        gates[caller] = gate
        raise RateLimited
    gates[caller] = gate.tried(now)
    while len(gates) > CALLERS:  # who has been quiet for longest
        gates.pop(next(iter(gates)))
