"""A page: one answer, everything inline, small enough for one bar of signal."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from alertengine.core.language import Words
from alertengine.web.recover_guard import page_policy
from alertengine.web.recover_text import say, visible

_pages = Environment(
    loader=PackageLoader("alertengine.web", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=visible,
)

SYMBOLS = {"bad": "!", "warn": "?", "busy": "…", "good": "✓", "calm": "–"}


def page(
    request: Request, template: str, words: Words, parts: Mapping[str, Any], *, status: int = 200
) -> Response:
    nonce = secrets.token_urlsafe(12)
    told = {"t": partial(say, words), "lang": words.code}
    html = _pages.get_template(template).render({**parts, **told, "nonce": nonce})
    headers = {"content-security-policy": page_policy(nonce)}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = html.encode()
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 6, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(body, status_code=status, headers=headers, media_type="text/html")
