"""The health endpoint and the recovery hooks below it, as one small ASGI app."""

from __future__ import annotations

import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from . import evidence, recovery, report
from .monitor import Monitor
from .signing import TOLERANCE_S, Signer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, dict[str, Any]]

BODY_LIMIT = 64 * 1024
SEEN = 4096  # message ids remembered
UNSIGNED: Answer = (401, {"error": "the signature is missing, wrong or too old"})
UNKNOWN: Answer = (404, {"error": "not found"})
log = logging.getLogger(__name__)


class Endpoint:
    """Answers at `path`; everything but the report needs a signature made with the secret."""

    def __init__(self, monitor: Monitor, path: str, signer: Signer | None) -> None:
        self.path = path
        self._monitor = monitor
        self._signer = signer
        self._hooks = path.rstrip("/") + "/recovery"
        self._ids: OrderedDict[str, tuple[float, tuple[str, str, bytes]]] = OrderedDict()

    def owns(self, scope: Scope) -> bool:
        path = _path(scope)
        return path == self.path or path == self._hooks or path.startswith(self._hooks + "/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, body = await self._answer(scope, receive)
        except Exception:
            log.debug("the health endpoint failed", exc_info=True)
            status, body = 500, {"error": "internal error"}
        raw = b"" if scope["method"] == "HEAD" else json.dumps(body, separators=(",", ":")).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if raw:
            headers.append((b"content-length", str(len(raw)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path = _path(scope)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if path == self.path:
            if scope["method"] not in ("GET", "HEAD"):
                return 405, {"error": "use GET"}
            return 200, self._report(scope, query)
        if self._signer is None:
            return UNKNOWN
        body = await _body(receive)
        if body is None:
            return 413, {"error": "the body is too large"}
        if not self._signed(scope, body):
            return UNSIGNED
        if path == self._hooks:
            return 200, {"recoveries": self._monitor.recoveries.described()}
        return await self._recover(scope, path[len(self._hooks) + 1 :], _flag(query, "dry_run"), body)

    def _report(self, scope: Scope, query: dict[str, list[str]]) -> dict[str, Any]:
        told = self._monitor.report()
        if query.get("view") == ["summary"]:
            return report.summary(told)
        if _flag(query, "evidence") and self._signed(scope, b""):
            told["evidence"] = evidence.build(self._monitor, self._monitor.now())
        return told

    async def _recover(self, scope: Scope, name: str, dry_run: bool, body: bytes) -> Answer:
        if scope["method"] != "POST":
            return 405, {"error": "use POST"}
        hook = self._monitor.recoveries.get(name)
        if hook is None:
            return UNKNOWN
        order = _order(body)
        if order is None:
            return 400, {"error": "the body is not a JSON object"}
        if order.get("action", name) != name or order.get("dry_run", dry_run) not in (dry_run, int(dry_run)):
            return 400, {"error": "body and address disagree"}
        if dry_run:
            return await recovery.preview(hook)
        execution = order.get("execution_id") or _headers(scope)["webhook-id"]
        return await self._monitor.recoveries.order(hook, str(execution)[:200])

    def _signed(self, scope: Scope, body: bytes) -> bool:
        """The signature does not cover the address, so an id is good for one address only."""
        now = time.time()
        headers = _headers(scope)
        if self._signer is None or not self._signer.valid(headers, body, now):
            return False
        address = scope["method"], _path(scope), scope.get("query_string", b"")
        while self._ids and (
            len(self._ids) > SEEN or next(iter(self._ids.values()))[0] < now - 2 * TOLERANCE_S
        ):
            self._ids.popitem(last=False)
        return self._ids.setdefault(headers["webhook-id"], (now, address))[1] == address


def _path(scope: Scope) -> str:
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _flag(query: dict[str, list[str]], name: str) -> bool:
    return bool(re.fullmatch(r"1|true|yes", query.get(name, [""])[-1]))


def _order(body: bytes) -> dict[str, Any] | None:
    if not body.strip():
        return {}
    try:
        order = json.loads(body)
    except ValueError:
        return None
    return order if isinstance(order, dict) else None


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is larger than any order needs to be."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)
