"""Times every statement of one SQLAlchemy engine, and the wait for a pooled connection before it."""

from __future__ import annotations

import functools
import time
from typing import Any

from ..dependency import Done, failure_code
from ..monitor import Monitor

BEGAN = "alertengine_began"
WAITED = "alertengine_waited"


def time_sqlalchemy(monitor: Monitor, engine: Any, name: str | None = None) -> None:
    """From now on each statement of the `Engine` or `AsyncEngine` counts as a call of the dependency
    `db`, named `name` or after the database. No SQL is kept. Raises ImportError without SQLAlchemy.
    """
    from sqlalchemy import event

    engine = getattr(engine, "sync_engine", engine)
    told = name or engine.url.database or engine.dialect.name

    def before(connection: Any, *_: Any) -> None:
        connection.info[BEGAN] = time.perf_counter()

    def after(connection: Any, *_: Any) -> None:
        _done(monitor, told, connection.info, None)

    def failed(context: Any) -> None:
        if context.connection is not None:
            _done(monitor, told, context.connection.info, failure_code(context.original_exception))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)
    event.listen(engine, "engine_disposed", lambda fresh: _time_checkout(monitor, fresh.pool, told))
    _time_checkout(monitor, engine.pool, told)


def _done(monitor: Monitor, name: str, info: dict[str, Any], code: str | None) -> None:
    began = info.pop(BEGAN, None)
    if began is not None:
        took = time.perf_counter() - began
        monitor.calls.pending.append(Done("db", name, took, info.pop(WAITED, 0.0), code))


def _time_checkout(monitor: Monitor, pool: Any, name: str) -> None:
    connect = pool.connect

    @functools.wraps(connect)
    def timed() -> Any:
        began = time.perf_counter()
        try:
            connection = connect()
        except Exception as error:
            waited = time.perf_counter() - began
            monitor.calls.pending.append(Done("db", name, 0.0, waited, failure_code(error)))
            raise
        connection.info[WAITED] = time.perf_counter() - began
        return connection

    pool.connect = timed
