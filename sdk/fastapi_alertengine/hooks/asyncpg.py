"""Times every query of asyncpg connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..dependency import Done, failure_code
from ..monitor import Monitor


def asyncpg_timer(monitor: Monitor, name: str = "postgres") -> Callable[[Any], Awaitable[None]]:
    """A function for `asyncpg.create_pool(init=...)`, or to be awaited with a single connection
    (asyncpg 0.29 or newer). No SQL is kept.
    """

    async def init(connection: Any) -> None:
        connection.add_query_logger(log)

    def log(query: Any) -> None:
        code = failure_code(query.exception) if query.exception is not None else None
        monitor.calls.pending.append(Done("db", name, query.elapsed, 0.0, code))

    return init
