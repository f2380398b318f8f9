"""The page of a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from alertengine.core.language import LANGUAGES, Words
from alertengine.core.language import words as words_of
from alertengine.core.view import FOLLOWING, View
from alertengine.web import recover_words as lead
from alertengine.web.page import SYMBOLS, page
from alertengine.web.recover_text import say


def respond(
    request: Request, token: str, parts: Mapping[str, Any], *, status: int = 200, notice: str | None = None
) -> Response:
    """The page of a link. `notice`: why what was just asked for was not done."""
    posted = request.method == "POST"
    # Who gives a reason must not lose it to a page that looks again.
    writes = parts["ways"] is not None and parts["ways"].break_glass
    follow = parts["view"] in FOLLOWING and not writes and "still" not in request.query_params
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
    return page(request, "recover.html", parts["words"], shown, status=status)


def invalid(request: Request, default: str) -> Response:
    """One fixed page for every link that is not ours, whatever is wrong with it."""
    words = of_browser(request, default)
    return respond(request, "", bare(View.INVALID, "warn", words, lead.invalid(words)), status=401)


def suspended(request: Request, default: str) -> Response:
    words = of_browser(request, default)
    return respond(request, "", bare("suspended", "calm", words, lead.suspended(words)), status=409)


def unrecordable(request: Request, token: str, default: str) -> Response:
    words = of_browser(request, default)
    parts = bare(View.UNRECORDABLE, "warn", words, lead.unrecordable(words))
    return respond(request, token, parts, status=503)


def sent(request: Request, token: str, words: Words, contact: str, channel: str) -> Response:
    lines = [say(words, "page.sent.where", name=contact, channel=channel), say(words, "page.sent.close")]
    parts = bare("sent", "good", words, (say(words, "page.sent"), lines))
    return respond(request, token, parts, status=202)


def of_browser(request: Request, default: str) -> Words:
    """Where the link does not say for whom it is: the first language of the browser's that there is."""
    wanted = (part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(","))
    codes = (language.partition("-")[0].lower() for language in wanted)
    return words_of(next((code for code in codes if code in LANGUAGES), default))


def bare(view: str, tone: str, words: Words, said: lead.Lead) -> dict[str, Any]:
    """A page that says one thing and shows nothing of any incident."""
    headline, lines = said
    parts = ("incident", "health", "why", "would", "ran", "approvals", "trail", "anchor", "contact", "ways")
    return {
        **dict.fromkeys(parts),
        "words": words,
        "title": "",
        "view": view,
        "tone": tone,
        "headline": headline,
        "lines": lines,
        "decide": False,
        "fresh": False,
    }
