"""Proof of an address: the code that was sent there, typed back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from alertengine.pipeline import limits
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.verify import confirm
from alertengine.web.bodies import Strict
from alertengine.web.caller import caller, household


class VerifyBody(Strict):
    """`phone`: the address that the code was sent to, or the contact's id."""

    phone: Annotated[str, Field(min_length=1, max_length=200)]
    code: Annotated[str, Field(min_length=1, max_length=20)]


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.post("/verify")
    async def post_verify(body: VerifyBody, request: Request) -> dict[str, Any]:
        """Confirm a contact by the code that they were sent. Five tries a code."""
        on_socket = request.app.state.local
        if not on_socket:
            limits.spend(engine, "verify", household(caller(request)))
        contact = await confirm(engine, body.phone, body.code, by_name=on_socket)
        return {"verified": True, "contact_id": contact.id, "name": contact.name, "channel": contact.channel}

    return routes
