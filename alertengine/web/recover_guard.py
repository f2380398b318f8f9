"""The headers of every answer about a link: nothing kept, nothing told to others, nothing framed or loaded."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alertengine.errors import AlertEngineError
from alertengine.web import problems

_CLOSED = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
_FEATURES = ("camera", "geolocation", "microphone", "payment", "usb", "clipboard-read")

HEADERS = {
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": ", ".join(f"{name}=()" for name in _FEATURES),
    "x-robots-tag": "noindex, nofollow",
    "x-frame-options": "DENY",
    "vary": "accept, accept-encoding",
}


def page_policy(nonce: str) -> str:
    """What a page may do: its own inline style and script, asking for itself again, posting to us."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class LinkRoute(APIRoute):
    """A route whose every answer, refusals too, carries the headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                response = await handle(request)
            except AlertEngineError as error:
                response = problems.of_error(error)  # recorded already, by those who know the link
            except HTTPException as error:
                response = problems.problem(error.status_code, "INVALID", str(error.detail))
            except RequestValidationError:
                response = problems.problem(422, "INVALID", "The token is one piece of text.")
            for name, value in HEADERS.items():
                response.headers[name] = value
            response.headers.setdefault("content-security-policy", _CLOSED)
            if request.app.state.engine.base_url.startswith("https:"):
                response.headers["strict-transport-security"] = "max-age=31536000"
            return response

        return guarded
