"""What a request to the recovery link brings: its token, what it accepts, and whether a page posted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from alertengine.core.approval import Claims
from alertengine.core.diagnosis.redaction import plain, shorten
from alertengine.errors import Refused, TokenInvalid
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.proof import Proof
from alertengine.pipeline.signin import Session
from alertengine.web.caller import caller
from alertengine.web.session import session_of

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class NotThePage(Refused):
    """This did not come from the page itself. Open the link in your message and decide there."""

    code = "NOT_THE_PAGE"
    status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, read. `html`: a browser asks, so it is answered with a page."""

    token: str
    html: bool
    from_page: bool
    """A browser's form post, which must prove that it comes from our page."""
    form: FormData
    session: Session | None
    """Who is signed in in this browser."""
    how: dict[str, Any]

    def field(self, name: str) -> str:
        value = self.form.get(name)
        return value if isinstance(value, str) else ""

    def proof(self, reason: str | None = None) -> Proof:
        """What came with the decision beside the link."""
        return Proof(pin=self.field("pin"), email=self.session.email if self.session else None, reason=reason)


async def read(engine: Engine, request: Request) -> Asked:
    form = await _form(request)
    posted = form.get("token")
    given = {
        t for t in (_bearer(request), *request.query_params.getlist("token"), posted) if isinstance(t, str)
    }
    return Asked(
        # Two different tokens are no token: it must be plain which link was used.
        token=given.pop() if len(given) == 1 else "",
        html=wants_html(request),
        from_page=_is_form(request) and _is_browser(request),
        form=form,
        session=await session_of(engine, request),
        how=_how(request),
    )


async def _form(request: Request) -> FormData:
    if request.method != "POST" or not _is_form(request):
        return FormData()
    return await request.form(max_files=0, max_fields=10)


def wants_html(request: Request) -> bool:
    """A GET is a page unless JSON alone is asked for; a POST is JSON unless HTML is."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return True
    return request.method != "POST" and "application/json" not in accept


def check_page(engine: Engine, asked: Asked, request: Request, claims: Claims, decision: str) -> None:
    """Refuse what a foreign site, a prefetcher or a form-filling robot posts. Programs hold the token itself."""
    if request.headers.get("sec-fetch-site") == "cross-site" or _is_prefetch(request):
        raise NotThePage
    if not asked.from_page:
        return
    seen_page = engine.tokens.is_form_token(_seed(claims, asked.session), asked.field("page"))
    # The name and value of the pressed button: a robot that submits forms presses none.
    if not seen_page or asked.field("decision") != decision:
        raise NotThePage


def form_proof(engine: Engine, claims: Claims, session: Session | None) -> str:
    """Goes with the page's own forms: made for this link, and for whoever is signed in."""
    return engine.tokens.form_token(_seed(claims, session))


def _seed(claims: Claims, session: Session | None) -> str:
    return claims.jti if session is None else f"{claims.jti} {session.jti}"


def require_token(asked: Asked) -> str:
    if not asked.token:
        raise TokenInvalid
    return asked.token


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in FORM_TYPES


def _is_browser(request: Request) -> bool:
    headers = request.headers
    return "text/html" in headers.get("accept", "") or any(name.startswith("sec-fetch-") for name in headers)


def _is_prefetch(request: Request) -> bool:
    headers = request.headers
    return "prefetch" in headers.get("sec-purpose", "") + headers.get("purpose", "")


def _how(request: Request) -> dict[str, Any]:
    return {
        "address": caller(request) or None,
        "browser": shorten(plain(request.headers.get("user-agent", "")[:500]), 200) or None,
    }
