"""A tenant's incidents to look at: the list and each one's story. Nothing can be decided here."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from alertengine.core.language import Words
from alertengine.errors import TokenInvalid
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.viewing import Reader, read_link
from alertengine.store import checkpoints, directory, incidents
from alertengine.web import recover_page
from alertengine.web.incident_view import State, draw, draw_list
from alertengine.web.page import page
from alertengine.web.recover_guard import LinkRoute
from alertengine.web.recover_page import of_browser
from alertengine.web.recover_text import clock_time
from alertengine.web.refusals import refused
from alertengine.web.session import session_of
from alertengine.web.signin import page_proof, sign_in_first

PAGE = 25
Token = Annotated[str, Query(max_length=2048, description="The link's token.")]


async def _reader(engine: Engine, request: Request, token: str) -> Reader:
    """By the link, else by the session. Raises `TokenInvalid`."""
    if token:
        return await read_link(engine, token)
    session = await session_of(engine, request)
    if session is None:
        raise TokenInvalid
    proof = page_proof(engine, session)
    return Reader(
        name=session.email,
        tenants=session.tenants,
        until=session.until,
        words=session.words,
        session=proof,
    )


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(route_class=LinkRoute)

    @routes.get("/incidents", response_model=None)
    async def get_list(
        request: Request,
        token: Token = "",
        service: Annotated[str, Query(max_length=200)] = "",
        state: State = State.ALL,
        before: Annotated[str, Query(max_length=100)] = "",
        tenant: Annotated[str, Query(max_length=100)] = "",
    ) -> Response:
        """The tenant's incidents as a page, newest first; by a link that was given to somebody. Read-only."""
        try:
            reader = await _reader(engine, request, token)
        except TokenInvalid as error:
            return _closed(engine, request, token, error)
        words = reader.words or of_browser(request, engine.language)
        if tenant and tenant in reader.tenants:
            reader = replace(reader, tenants=(tenant, *(t for t in reader.tenants if t != tenant)))
        chosen = {"service": service, "state": state}
        return page(
            request, "incidents.html", words, await _list(engine, reader, token, before, chosen, words)
        )

    @routes.get("/incident/{incident_id}", response_model=None)
    async def get_incident(request: Request, incident_id: str, token: Token = "") -> Response:
        """One incident's story as a page, which prints well. Read-only."""
        try:
            reader = await _reader(engine, request, token)
            words = reader.words or of_browser(request, engine.language)
            shown = await _one(engine, reader, token, incident_id, words)
            return page(request, "incident.html", words, shown)
        except TokenInvalid as error:
            return _closed(engine, request, token, error)

    return routes


def _closed(engine: Engine, request: Request, token: str, error: TokenInvalid) -> Response:
    """A link that opens nothing, which is put on record; without one, the way in where people sign in."""
    answer = refused(request, error) if token else error
    if answer is not error:
        raise answer
    if token or engine.identities is None:
        return recover_page.invalid(request, engine.language)
    return sign_in_first(engine, request)


async def _list(
    engine: Engine, reader: Reader, token: str, before: str, chosen: dict[str, Any], words: Words
) -> dict[str, Any]:
    tenant = reader.tenants[0]
    query = incidents.listing(
        tenant,
        open_only=chosen["state"] is State.OPEN,
        over_only=chosen["state"] is State.OVER,
        service=chosen["service"] or None,
        limit=PAGE + 1,
        before=before or None,
    )
    rows = await engine.store.fetch(query)
    known = await engine.store.fetch(directory.tenant(tenant))
    services = [s.name for s in await engine.store.fetch(directory.services(tenant))]
    following = incidents.cursor(rows[PAGE - 1]) if len(rows) > PAGE else None
    named = await engine.store.fetch(incidents.named(tenant, [row.id for row in rows[:PAGE]]))
    shown = draw_list(rows[:PAGE], named, engine.now(), words)
    name = known.name if known else tenant
    others = [await engine.store.fetch(directory.tenant(t)) for t in reader.tenants[1:]]
    return {
        **shown,
        **chosen,
        "tone": "calm",
        "tenant": name,
        "services": services,
        "others": [t for t in others if t is not None],
        "tenant_id": tenant if others else "",
        "next": following,
        "first": not before,
        "filters": "".join(f"&{key}={quote(value)}" for key, value in chosen.items() if value)
        + (f"&tenant={tenant}" if others else ""),
        **_for(reader, token, engine),
    }


def _for(reader: Reader, token: str, engine: Engine) -> dict[str, Any]:
    """What every page says of its reader, and how its links go on with the same right."""
    until = clock_time(reader.until, engine.now(), seconds=False)
    return {"token": token, "query": f"?token={token}" if token else "?", "reader": reader, "until": until}


async def _one(engine: Engine, reader: Reader, token: str, incident_id: str, words: Words) -> dict[str, Any]:
    """Raises `TokenInvalid` for an incident that is not there, just as for another tenant's."""
    for tenant in reader.tenants:
        events = await engine.store.fetch(incidents.events(tenant, incident_id))
        if events:
            head = await engine.store.fetch(checkpoints.checkpoint(tenant))
            anchor = checkpoints.short(head) if head else None
            return {**draw(engine, events, words), "anchor": anchor, **_for(reader, token, engine)}
    raise TokenInvalid
