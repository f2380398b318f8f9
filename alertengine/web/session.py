"""The cookie of somebody who signed in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from alertengine.pipeline.engine import Engine
from alertengine.pipeline.signin import Session, read_session

SESSION, BEGUN = "session", "signin"
"""What the cookies hold: who is signed in, and a sign-in that was begun."""


def name(engine: Engine, what: str) -> str:
    """Over TLS a browser keeps this name to this very host, and sends it nowhere without TLS."""
    return f"__Host-ae-{what}" if _over_tls(engine) else f"ae-{what}"


def put(engine: Engine, answer: Response, what: str, value: str, life_s: float) -> None:
    answer.set_cookie(
        name(engine, what),
        value,
        max_age=int(life_s),
        path="/",
        secure=_over_tls(engine),
        httponly=True,
        samesite="lax",  # it comes along when somebody taps a link in a chat, and with no foreign form
    )


def drop(engine: Engine, answer: Response, what: str) -> None:
    answer.delete_cookie(
        name(engine, what), path="/", secure=_over_tls(engine), httponly=True, samesite="lax"
    )


async def session_of(engine: Engine, request: Request) -> Session | None:
    cookie = request.cookies.get(name(engine, SESSION))
    if not cookie or engine.identities is None:
        return None
    return await read_session(engine, cookie)


def _over_tls(engine: Engine) -> bool:
    return engine.base_url.startswith("https:")
