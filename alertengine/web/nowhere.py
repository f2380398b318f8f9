"""What a browser is told at an address where nothing is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from alertengine.pipeline.engine import Engine
from alertengine.web import problems
from alertengine.web.page import SYMBOLS, page
from alertengine.web.recover_page import of_browser


async def nowhere(request: Request, error: Exception) -> Response:
    """The same wherever it is asked, whatever there may be elsewhere; programs get the problem itself."""
    engine: Engine = request.app.state.engine
    if "text/html" not in request.headers.get("accept", ""):
        return await problems.http_error(request, error)
    words = of_browser(request, engine.language)
    signs_in = engine.identities is not None
    parts = {
        "tone": "calm",
        "symbol": SYMBOLS["calm"],
        "headline": words("nowhere"),
        "why": words("nowhere.why"),
        "label": words("page.sign_in"),
        "href": f"{request.scope.get('root_path', '')}/signin" if signs_in else None,
    }
    answer = page(request, "say.html", words, parts, status=404)
    answer.headers["cache-control"] = "no-store"
    return answer
