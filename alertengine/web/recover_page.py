"""The page: one answer, everything inline, small enough for one bar of signal."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from alertengine.core.view import FOLLOWING, View
from alertengine.web.recover_guard import page_policy
from alertengine.web.recover_text import visible
from alertengine.web.recover_words import INVALID_WORDS, UNRECORDABLE_HEADLINE, UNRECORDABLE_LINES

_pages = Environment(
    loader=PackageLoader("alertengine.web", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=visible,
)

SYMBOLS = {"bad": "!", "warn": "?", "busy": "…", "good": "✓", "calm": "–"}


def respond(
    request: Request, token: str, parts: Mapping[str, Any], *, status: int = 200, notice: str | None = None
) -> Response:
    """The page of a link. `notice`: why what was just asked for was not done."""
    nonce = secrets.token_urlsafe(12)
    posted = request.method == "POST"
    follow = parts["view"] in FOLLOWING and "still" not in request.query_params
    html = _pages.get_template("recover.html").render(
        {
            **parts,
            "nonce": nonce,
            "token": token,
            "notice": notice,
            "follow": follow,
            "symbol": SYMBOLS[parts["tone"]],
            # Relative addresses, so that the page works behind any prefix.
            "here": "../recover" if posted else "recover",
            "forms": "" if posted else "recover/",
        }
    )
    headers = {"content-security-policy": page_policy(nonce)}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return _small(request, html, status, headers)


def invalid(request: Request) -> Response:
    """One fixed page for every link that is not ours, whatever is wrong with it."""
    headline, lines = INVALID_WORDS
    return respond(request, "", bare(View.INVALID, "warn", headline, lines), status=401)


def unrecordable(request: Request, token: str) -> Response:
    parts = bare(View.UNRECORDABLE, "warn", UNRECORDABLE_HEADLINE, UNRECORDABLE_LINES)
    return respond(request, token, parts, status=503)


def sent(request: Request, token: str, contact: str, channel: str) -> Response:
    lines = [
        Markup("It goes to {} by {}, where the first one went.").format(contact, channel),
        Markup("Nothing was run. You can close this page."),
    ]
    return respond(
        request, token, bare("sent", "good", Markup("A fresh link is on its way"), lines), status=202
    )


def bare(view: str, tone: str, headline: Markup, lines: list[Markup]) -> dict[str, Any]:
    """A page that says one thing and shows nothing of any incident."""
    parts = ("incident", "health", "why", "would", "ran", "approvals", "trail", "anchor", "contact")
    return {
        **dict.fromkeys(parts),
        "view": view,
        "tone": tone,
        "headline": headline,
        "lines": lines,
        "decide": False,
        "fresh": False,
    }


def _small(request: Request, html: str, status: int, headers: dict[str, str]) -> Response:
    body = html.encode()
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 6, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(body, status_code=status, headers=headers, media_type="text/html")
