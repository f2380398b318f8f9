"""The page of a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from alertengine.core.view import FOLLOWING, View
from alertengine.web.page import SYMBOLS, page
from alertengine.web.recover_words import INVALID_WORDS, UNRECORDABLE_HEADLINE, UNRECORDABLE_LINES


def respond(
    request: Request, token: str, parts: Mapping[str, Any], *, status: int = 200, notice: str | None = None
) -> Response:
    """The page of a link. `notice`: why what was just asked for was not done."""
    posted = request.method == "POST"
    follow = parts["view"] in FOLLOWING and "still" not in request.query_params
    shown = {
        **parts,
        "token": token,
        "notice": notice,
        "follow": follow,
        "symbol": SYMBOLS[parts["tone"]],
        # Relative addresses, so that the page works behind any prefix.
        "here": "../recover" if posted else "recover",
        "forms": "" if posted else "recover/",
    }
    return page(request, "recover.html", shown, status=status)


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
