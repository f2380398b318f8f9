"""Recovery hooks: functions of the app that may be run from outside, each order once."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .redaction import told
from .signing import TOLERANCE_S

KEPT = 256  # answers remembered, so that an order given twice is not run twice
KEPT_S = 2.0 * TOLERANCE_S  # and each for as long as its signature may still be good

Hook = Callable[[], Any]
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Recovery:
    """A named hook; `run` and `preview` take no argument, plain or async."""

    name: str
    run: Hook
    preview: Hook | None

    def described(self) -> dict[str, Any]:
        text = inspect.getdoc(self.run) or ""
        return {
            "name": self.name,
            "description": text.partition("\n")[0],
            "has_preview": self.preview is not None,
        }


class Recoveries:
    """The hooks of one app and what came of each order."""

    def __init__(self) -> None:
        self._hooks: dict[str, Recovery] = {}
        self._orders: OrderedDict[str, tuple[float, asyncio.Task[Answer]]] = OrderedDict()

    def add(self, hook: Recovery) -> None:
        self._hooks[hook.name] = hook

    def get(self, name: str) -> Recovery | None:
        return self._hooks.get(name)

    def described(self) -> list[dict[str, Any]]:
        return [hook.described() for hook in self._hooks.values()]

    async def order(self, hook: Recovery, execution_id: str) -> Answer:
        """Run the hook unless this order was already given; then its recorded answer."""
        known = self._orders.get(execution_id)
        if known is not None:
            status, body = await asyncio.shield(known[1])
            return status, {**body, "replayed": True}
        task = asyncio.ensure_future(_run(hook, execution_id))
        self._orders[execution_id] = time.monotonic(), task
        self._trim()
        return await asyncio.shield(task)  # the caller may hang up; the action still ends

    def _trim(self) -> None:
        spare, old = max(0, len(self._orders) - KEPT), time.monotonic() - KEPT_S
        over = [key for key, (at, task) in self._orders.items() if task.done() and at < old]
        for key in over[:spare]:
            del self._orders[key]


async def preview(hook: Recovery) -> Answer:
    """What the hook would do, in its own words; the hook itself is not called."""
    answer = {"name": hook.name, "dry_run": True}
    if hook.preview is None:
        return 200, {**answer, "preview": None}
    try:
        text = await _call(hook.preview)
    except Exception as error:
        return 500, {**answer, "preview": None, "error": _sentence(error)}
    return 200, {**answer, "preview": None if text is None else str(text)}


async def _run(hook: Recovery, execution_id: str) -> Answer:
    answer = {"name": hook.name, "execution_id": execution_id}
    began = time.monotonic()
    try:
        result = _plain(await _call(hook.run))
    except (Exception, asyncio.CancelledError) as error:  # a hook may have cancelled what it waited for
        return 500, {**answer, "status": "failed", "error": _sentence(error)}
    took = round(time.monotonic() - began, 3)
    return 200, {**answer, "status": "succeeded", "result": result, "duration_s": took}


async def _call(function: Hook) -> Any:
    """Async functions run on the loop, plain ones in a thread of their own: neither holds up requests,
    and an app whose threads are all stuck can still be helped."""
    if inspect.iscoroutinefunction(function):
        return await function()
    thread = ThreadPoolExecutor(1, "alertengine-recovery")
    try:
        result = await asyncio.get_running_loop().run_in_executor(thread, function)
    finally:
        thread.shutdown(wait=False)
    return await result if inspect.isawaitable(result) else result


def _plain(result: Any) -> Any:
    try:
        return json.loads(json.dumps(result, default=str, allow_nan=False))
    except (TypeError, ValueError):
        return str(result)


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {told(error)}"
