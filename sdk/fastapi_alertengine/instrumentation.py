"""instrument(app): the one line that adds it all."""

from __future__ import annotations

import logging
import os
import warnings
import weakref
from collections.abc import Mapping
from typing import Any

from .config import AlertConfig
from .endpoint import Endpoint
from .middleware import MetricsMiddleware
from .monitor import Monitor
from .push import Push
from .redis_storage import RedisStream
from .shared import Shared
from .signing import Signer
from .state import State, default_path
from .storage import Storage
from .ticker import Ticker

log = logging.getLogger(__name__)
_monitors: weakref.WeakKeyDictionary[Any, Monitor] = weakref.WeakKeyDictionary()


def instrument(
    app: Any,
    redis_url: str | None = None,
    config: AlertConfig | Mapping[str, Any] | None = None,
    health_path: str = "/health/alerts",
    *,
    service: str | None = None,
    secret: str | None = None,
    push_url: str | None = None,
) -> Monitor:
    """Measure a FastAPI or Starlette app and serve its health at `health_path`.

    Never raises into the app: a wrong setting is warned about and its default taken. A second call for
    the same app warns and returns the first call's monitor.
    """
    known = _known(app)
    if known is not None:
        _warn("this app is instrumented already; the first call stands")
        return known
    name = _text("service", service) or os.environ.get("ALERTENGINE_SERVICE") or "default"
    name = name.encode("utf-8", "replace").decode()  # the environment may hold bytes that are no text
    path = _text("health_path", health_path) or "/health/alerts"
    monitor = _monitor(name, config, _storage(_text("redis_url", redis_url), name))
    signer = _signer(_text("secret", secret) or os.environ.get("ALERTENGINE_SECRET"))
    push = _push(_text("push_url", push_url) or os.environ.get("ALERTENGINE_PUSH_URL"), signer, name)
    ticker = Ticker(monitor, State(monitor, default_path(name)), push)
    try:
        _install(app, monitor, Endpoint(monitor, "/" + path.strip("/"), signer), ticker)
    except Exception:
        _warn("this is no FastAPI or Starlette app and is left as it is")
        log.debug("the app could not be instrumented", exc_info=True)
    return monitor


def _text(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    _warn(f"{name} is no text and is ignored")
    return None


def _known(app: Any) -> Monitor | None:
    stack = getattr(app, "middleware_stack", None)
    if isinstance(stack, MetricsMiddleware):
        return stack.monitor
    try:
        return _monitors.get(app)
    except TypeError:  # it cannot be looked up; what follows tells whether it is an app
        return None


def _install(app: Any, monitor: Monitor, endpoint: Endpoint, ticker: Ticker) -> None:
    monitor.routes.app = app
    parts: dict[str, Any] = {"monitor": monitor, "endpoint": endpoint, "ticker": ticker}
    if getattr(app, "middleware_stack", None) is None:
        app.add_middleware(MetricsMiddleware, **parts)
        _monitors[app] = monitor
    else:  # already serving: wrap what is there
        app.middleware_stack = MetricsMiddleware(app.middleware_stack, **parts)


def _monitor(
    service: str, config: AlertConfig | Mapping[str, Any] | None, storage: Storage | None
) -> Monitor:
    try:
        return Monitor(service=service, config=config, storage=storage)
    except (TypeError, ValueError) as error:
        _warn(f"config is ignored: {error}")
        return Monitor(service=service, storage=storage)


def _storage(redis_url: str | None, service: str) -> Storage | None:
    """Redis where a URL is given, shared memory where asked for, else none: one process alone."""
    url = redis_url or os.environ.get("ALERTENGINE_REDIS_URL") or os.environ.get("REDIS_URL")
    mode = os.environ.get("ALERTENGINE_STORAGE", "redis" if url else "memory")
    if mode == "shared" and not redis_url:
        return Shared(service)
    return RedisStream(url, service) if url and mode != "memory" else None


def _signer(secret: str | None) -> Signer | None:
    try:
        return Signer(secret) if secret else None
    except ValueError:
        _warn("the secret is empty, or what follows whsec_ is not base64; signed calls are refused")
        return None


def _push(url: str | None, signer: Signer | None, service: str) -> Push | None:
    if url and not url.startswith(("http://", "https://")):
        _warn("push_url is neither http nor https and is ignored")
        return None
    return Push(url, signer, service) if url else None


def _warn(text: str) -> None:
    """Warn, but never as an exception, whatever the warning filters say."""
    try:
        warnings.warn(f"fastapi-alertengine: {text}", RuntimeWarning, stacklevel=3)
    except RuntimeWarning:
        pass
