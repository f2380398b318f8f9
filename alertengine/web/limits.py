"""Bounds on what is taken from outside, as pure ASGI."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alertengine.web.problems import problem

BODY_LIMIT = 64 * 1024
HEAD_LIMIT = 16 * 1024


class _TooLarge(Exception):
    """The body went on past the limit."""


class SizeLimit:
    """Answers 413 to bodies over `BODY_LIMIT`, whether or not their length was announced, and 431 to heads over
    `HEAD_LIMIT`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _head(scope) > HEAD_LIMIT:
            refusal = problem(431, "TOO_LARGE", f"A head has at most {HEAD_LIMIT // 1024} KiB.")
            await refusal(scope, receive, send)
            return
        refusal = problem(413, "TOO_LARGE", f"A body has at most {BODY_LIMIT // 1024} KiB.")
        if _announced(scope) > BODY_LIMIT:
            await refusal(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_LIMIT:
                raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            # Whatever is made of the cut body inside, the answer is that it was too large.
            if taken <= BODY_LIMIT:
                await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLarge:
            pass
        if taken > BODY_LIMIT:
            await refusal(scope, receive, send)


def _head(scope: Scope) -> int:
    return (
        len(scope["raw_path"])
        + len(scope["query_string"])
        + sum(len(n) + len(v) for n, v in scope["headers"])
    )


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:12])
    return 0
