"""A first look at a service that was just put under watch: what it answers, and what to do where that is not right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertengine.cli.output import say

if TYPE_CHECKING:
    from alertengine.cli.client import Client

Json = dict[str, Any]


async def look(client: Client, service_id: str) -> Json | None:
    """None where that could not be told: what was saved stands all the same."""
    from alertengine.errors import AlertEngineError

    try:
        found = await client.get("/local/doctor", service=service_id)
    except AlertEngineError:
        return None
    seen: Json = found["checks"][0]
    return {key: seen[key] for key in ("state", "detail", "remedy")}


def tell(seen: Json | None) -> None:
    if seen is None:
        return
    if seen["state"] == "ok":
        say(f"Looked at it: {seen['detail']}.")
    else:
        say(f"It is saved, but {seen['detail']}. {seen['remedy'] or ''}".rstrip())
        say("Once that is mended: alertengine doctor")
