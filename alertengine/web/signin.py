"""Signing in and out, by the provider of identities that the operator named; and one's own PIN."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alertengine.core.approval import refusal
from alertengine.core.language import Words
from alertengine.core.said import retold
from alertengine.errors import AlertEngineError, Invalid, RateLimited, Refused, SignInFailed
from alertengine.pins import seal_pin
from alertengine.pipeline import limits, signin
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.signin import Session
from alertengine.web import session
from alertengine.web.caller import caller, household
from alertengine.web.page import SYMBOLS, page
from alertengine.web.recover_guard import LinkRoute
from alertengine.web.recover_page import of_browser
from alertengine.web.refusals import refused

Token = Annotated[str, Query(max_length=2048, description="The link to go on with.")]


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(route_class=LinkRoute)

    @routes.get("/signin", response_model=None)
    async def get_signin(request: Request, token: Token = "") -> Response:
        """To the provider, and from there back to where the link leads, or to the list of incidents."""
        if engine.identities is None:
            return _failed(engine, request, refusal("refused.sign_in.none", SignInFailed))
        try:
            limits.spend(engine, "signin", household(caller(request)))
        except RateLimited as error:
            return _failed(engine, request, error)
        back = f"../action/recover?token={token}" if token else "../incidents"
        try:
            begun = await engine.identities.begin(_callback(engine), back)
        except SignInFailed as error:
            return _failed(engine, request, error)
        answer = RedirectResponse(begun.url, status_code=303)
        session.put(engine, answer, session.BEGUN, begun.kept, begun.life_s)
        return answer

    @routes.get("/signin/callback", response_model=None)
    async def get_callback(request: Request) -> Response:
        """Where the provider sends the browser back to."""
        kept = request.cookies.get(session.name(engine, session.BEGUN), "")
        try:
            limits.spend(engine, "signin", household(caller(request)))
            if engine.identities is None or len(request.query_params.multi_items()) > 20:
                raise SignInFailed
            identity = await engine.identities.finish(_callback(engine), kept, dict(request.query_params))
            cookie = await signin.begin_session(engine, identity)
        except AlertEngineError as error:
            answer = _failed(engine, request, error)
        else:
            answer = RedirectResponse(identity.back, status_code=303)
            session.put(engine, answer, session.SESSION, cookie, engine.session_s)
        session.drop(engine, answer, session.BEGUN)
        return answer

    @routes.post("/signout", response_model=None)
    async def post_signout(request: Request) -> Response:
        """End the session, here and for whoever copied its cookie."""
        found = await session.session_of(engine, request)
        if found is not None:
            if not await _from_page(engine, request, found):
                return _failed(engine, request, refusal("refused.sign_in.button", SignInFailed))
            await signin.end_session(engine, found)
        answer = RedirectResponse("signin/out", status_code=303)
        session.drop(engine, answer, session.SESSION)
        return answer

    @routes.get("/signin/out", response_model=None)
    async def get_out(request: Request) -> Response:
        """What is shown after it."""
        words = of_browser(request, engine.language)
        return _say(request, words, "good", words("sign.out"), words("sign.again"), "../signin")

    _pin(routes, engine)
    return routes


def _pin(routes: APIRouter, engine: Engine) -> None:
    @routes.get("/pin", response_model=None)
    async def get_pin(request: Request) -> Response:
        """Where somebody who is signed in sets their PIN."""
        found = await session.session_of(engine, request)
        return sign_in_first(engine, request) if found is None else _pin_page(engine, request, found, None)

    @routes.post("/pin", response_model=None)
    async def post_pin(request: Request) -> Response:
        """Set it, for every tenant that knows them by this mailbox."""
        found = await session.session_of(engine, request)
        if found is None:
            return sign_in_first(engine, request)
        form = await request.form(max_files=0, max_fields=5)
        pin = str(form.get("pin", ""))
        try:
            if not await _from_page(engine, request, found):
                raise refusal("refused.pin.foreign", Refused)
            if pin != str(form.get("again", "")):
                raise refusal("refused.pin.differ", Refused)
            limits.spend(engine, "pin", found.email)
            sealed = seal_pin(pin)
        except (Invalid, Refused) as error:
            return _pin_page(engine, request, found, retold(error, found.words))

        await signin.set_own_pin(engine, found, sealed)
        words = found.words
        return _say(request, words, "good", words("pin.done"), words("sign.incidents"), "incidents")


def page_proof(engine: Engine, found: Session) -> str:
    """Goes with the forms of who is signed in."""
    return engine.tokens.form_token(_seed(found))


def _seed(found: Session) -> str:
    return f"session {found.jti}"


async def _from_page(engine: Engine, request: Request, found: Session) -> bool:
    given = (await request.form(max_files=0, max_fields=5)).get("page")
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return not foreign and isinstance(given, str) and engine.tokens.is_form_token(_seed(found), given)


def _callback(engine: Engine) -> str:
    return f"{engine.base_url}/signin/callback"


def _pin_page(engine: Engine, request: Request, found: Session, notice: str | None) -> Response:
    parts = {
        "tone": "calm",
        "notice": notice,
        "proof": page_proof(engine, found),
        "email": found.email,
        "has": any(p.pin for p in found.people),
    }
    return page(request, "pin.html", found.words, parts, status=422 if notice else 200)


def sign_in_first(engine: Engine, request: Request) -> Response:
    base, words = _base(request), of_browser(request, engine.language)
    return _say(
        request, words, "warn", words("sign.first"), words("page.sign_in"), f"{base}signin", status=401
    )


def _failed(engine: Engine, request: Request, error: AlertEngineError) -> Response:
    """Put on record; it has its own limit."""
    refused(request, error)
    status = error.status if isinstance(error, Refused) else 503
    base, words = _base(request), of_browser(request, engine.language)
    why = retold(error, words)
    answer = _say(
        request,
        words,
        "warn",
        words("sign.not"),
        words("sign.retry"),
        f"{base}signin",
        status=status,
        why=why,
    )
    if isinstance(error, RateLimited):
        answer.headers["retry-after"] = str(math.ceil(error.retry_after_s))
    return answer


def _base(request: Request) -> str:
    """From this page to where the sign-in is; relative, so that it works behind any prefix."""
    return "../" * (request.url.path.count("/") - 1)


def _say(
    request: Request,
    words: Words,
    tone: str,
    headline: str,
    label: str,
    href: str,
    *,
    status: int = 200,
    why: str = "",
) -> Response:
    parts: dict[str, Any] = {"tone": tone, "symbol": SYMBOLS[tone], "headline": headline, "why": why}
    return page(request, "say.html", words, {**parts, "label": label, "href": href}, status=status)
