"""The link in a message: what it is about, and the decision. Looking decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from alertengine.core.approval import Claims
from alertengine.core.incident import Incident
from alertengine.core.model import rfc3339
from alertengine.core.said import retold
from alertengine.core.view import View
from alertengine.errors import (
    Refused,
    StoreUnavailable,
    TenantSuspended,
    TokenExpired,
    TokenInvalid,
    TokenUsed,
)
from alertengine.pipeline import approve, limits, reissue
from alertengine.pipeline.advance import advance
from alertengine.pipeline.engine import Engine
from alertengine.web import recover_page as pages
from alertengine.web.recover_guard import LinkRoute
from alertengine.web.recover_request import Asked, check_page, form_proof, read, require_token
from alertengine.web.recover_view import Previews, draw, load, to_json
from alertengine.web.recover_ways import ways
from alertengine.web.recover_words import Facts
from alertengine.web.refusals import refused

PATH = "/action/recover"
Token = Annotated[str | None, Query(description="The link's token. A form field or a Bearer will do too.")]
_OVER = (View.EXPIRED_OPEN, View.EXPIRED_OVER)


class Desk:
    """Answers for one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.previews = Previews(engine)

    async def look(self, request: Request) -> Response:
        asked = await read(self.engine, request)
        return await self._answered(request, asked, self._show(request, asked))

    async def confirm(self, request: Request) -> Response:
        async def decide(asked: Asked) -> Response:
            return await self._approve(asked, None)

        return await self._decide(request, "run", decide)

    async def break_glass(self, request: Request) -> Response:
        async def decide(asked: Asked) -> Response:
            return await self._approve(asked, asked.field("reason"))

        return await self._decide(request, "break-glass", decide)

    async def _approve(self, asked: Asked, reason: str | None) -> Response:
        incident = await approve.confirm(self.engine, asked.token, asked.how, asked.proof(reason))
        self.engine.spawn(advance(self.engine, incident.tenant_id, incident.id))
        return _back(asked) if asked.html else JSONResponse(_authorized(incident))

    async def reject(self, request: Request) -> Response:
        async def decide(asked: Asked) -> Response:
            incident = await approve.reject(self.engine, asked.token, asked.how, asked.proof())
            body = {"rejected": True, "incident_id": incident.id, "tenant_id": incident.tenant_id}
            return _back(asked) if asked.html else JSONResponse(body)

        return await self._decide(request, "reject", decide)

    async def reissue(self, request: Request) -> Response:
        async def decide(asked: Asked) -> Response:
            incident = await reissue.reissue(self.engine, asked.token, asked.how)
            if not asked.html:
                body = {"reissued": True, "incident_id": incident.id, "tenant_id": incident.tenant_id}
                return JSONResponse(body, status_code=202)
            contact = (await approve.open_link(self.engine, asked.token)).contact
            return pages.sent(request, asked.token, self.engine.words(contact), contact.name, contact.channel)

        return await self._decide(request, "reissue", decide)

    async def _decide(
        self, request: Request, decision: str, decide: Callable[[Asked], Awaitable[Response]]
    ) -> Response:
        asked = await read(self.engine, request)

        async def work() -> Response:
            await self._check(request, asked, decision)
            return await decide(asked)

        # A phone that loses its signal now must not leave a decision half taken.
        return await self._answered(request, asked, asyncio.shield(self.engine.spawn(work())))

    async def _check(self, request: Request, asked: Asked, decision: str) -> None:
        claims = self._genuine(asked)
        try:
            check_page(self.engine, asked, request, claims, decision)
        except Refused as refusal:
            await approve.note_refusal(self.engine, claims, refusal, asked.how)
            raise

    def _genuine(self, asked: Asked) -> Claims:
        """A link that we signed is judged before any limit of the address it comes from: a flood of forged ones
        must not keep its owner out."""
        claims = approve.read(self.engine, require_token(asked))
        limits.spend(self.engine, "link", claims.contact_id)
        return claims

    async def _show(self, request: Request, asked: Asked) -> Response:
        facts = await self._facts(asked)
        if facts.shown is not None:
            await approve.note_preview(self.engine, facts.opened.claims, facts.opened.contact, asked.how)
        if asked.html:
            status = 401 if facts.view in _OVER and facts.opened.expired else 200
            return await self._page(request, asked, facts, status)
        if facts.opened.expired and facts.opened.used_at is None:
            raise TokenExpired(stage=str(facts.incident.stage), view=str(facts.view))
        needs = await ways(self.engine, facts.opened, facts.view, asked.session)
        return JSONResponse({**to_json(facts), "needs": needs.to_json()})

    async def _facts(self, asked: Asked) -> Facts:
        self._genuine(asked)
        opened = await approve.open_link(self.engine, require_token(asked))
        return await load(self.engine, opened, self.previews)

    async def _answered(self, request: Request, asked: Asked, work: Awaitable[Response]) -> Response:
        """The answer, or for a browser a page in place of each refusal."""
        try:
            return await work
        except TokenInvalid as error:
            answer = refused(request, error)
            if not asked.html or answer is not error:
                raise answer from None
            return pages.invalid(request, self.engine.language)
        except TenantSuspended:
            if not asked.html:
                raise
            return pages.suspended(request, self.engine.language)
        except StoreUnavailable:
            if not asked.html:
                raise
            return pages.unrecordable(request, asked.token, self.engine.language)
        except Refused as refusal:
            if not asked.html:
                raise
            return await self._refused(request, asked, refusal)

    async def _refused(self, request: Request, asked: Asked, refusal: Refused) -> Response:
        """The state as it is now, which mostly explains the refusal, and the refusal itself."""
        try:
            facts = await self._facts(asked)
        except TokenInvalid:
            return pages.invalid(request, self.engine.language)
        except StoreUnavailable:
            return pages.unrecordable(request, asked.token, self.engine.language)
        # A second tap on the same button is no mistake to be told of: the page shows what the first one did.
        notice = None if isinstance(refusal, TokenUsed) else retold(refusal, facts.words)
        return await self._page(request, asked, facts, refusal.status, notice)

    async def _page(
        self, request: Request, asked: Asked, facts: Facts, status: int, notice: str | None = None
    ) -> Response:
        proof = form_proof(self.engine, facts.opened.claims, asked.session)
        needs = await ways(self.engine, facts.opened, facts.view, asked.session)
        parts = {**draw(facts), "page": proof, "ways": needs}
        return pages.respond(request, asked.token, parts, status=status, notice=notice)


def _back(asked: Asked) -> Response:
    """To the link's own address, which shows from now on what happens."""
    return RedirectResponse(f"../recover?token={asked.token}", status_code=303)


def _authorized(incident: Incident) -> dict[str, Any]:
    run = incident.execution
    shared = {
        "incident_id": incident.id,
        "tenant_id": incident.tenant_id,
        "action": incident.action.name if incident.action else None,
        "approvals": {"required": incident.approvals_needed, "given": len(incident.approvals)},
    }
    if run is None or run.status != "authorized":
        return {"authorized": False, **shared}
    return {
        "authorized": True,
        **shared,
        "authorized_by": run.authorized_by.name,
        "authorized_at": rfc3339(run.authorized_at),
        "execution": run.to_json(),
    }


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(route_class=LinkRoute)
    desk = Desk(engine)

    @routes.head(PATH, include_in_schema=False)
    @routes.get(PATH, response_model=None)
    async def look(request: Request, token: Token = None) -> Response:
        """What the link is about, as a page or (`Accept: application/json`) as JSON. Changes nothing."""
        return await desk.look(request)

    @routes.post(f"{PATH}/confirm", response_model=None)
    async def confirm(request: Request, token: Token = None) -> Response:
        """Approve. The last approval needed authorizes the recovery, which starts at once and runs once."""
        return await desk.confirm(request)

    @routes.post(f"{PATH}/reject", response_model=None)
    async def reject(request: Request, token: Token = None) -> Response:
        """Decide not to run it."""
        return await desk.reject(request)

    @routes.post(f"{PATH}/break-glass", response_model=None)
    async def break_glass(request: Request, token: Token = None) -> Response:
        """Authorize alone what needs several, with a `reason` (a form field) that everybody is told: as an admin, where
        the operator allows it."""
        return await desk.break_glass(request)

    @routes.post(f"{PATH}/reissue", response_model=None, status_code=202)
    async def reissue(request: Request, token: Token = None) -> Response:
        """Send a fresh link to the contact of an expired one."""
        return await desk.reissue(request)

    return routes
