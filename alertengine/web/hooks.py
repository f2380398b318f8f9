"""What providers call: receipts. The signature is checked first, on the bytes as they came."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from alertengine.pipeline import hooks
from alertengine.pipeline.engine import Engine
from alertengine.ports import Call


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.post("/hooks/{provider}", status_code=204, response_class=Response)
    async def post_hook(provider: str, request: Request) -> Response:
        """Receipts and answers. A provider's signature is the key; the same call twice changes nothing."""
        xml = await hooks.take_call(engine, provider, await _call(engine, request))
        return Response(xml, media_type="text/xml") if xml else Response(status_code=204)

    return routes


async def _call(engine: Engine, request: Request) -> Call:
    """The address as the provider knows it: a proxy in between may have changed host and scheme."""
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
    url = f"{engine.base_url}{path}" + (f"?{query}" if query else "")
    return Call(url=url, headers=request.headers, body=await request.body())
