"""The HTTP side of the daemon."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import FastAPI

from alertengine import __version__
from alertengine.core.addresses import Network
from alertengine.pipeline.engine import Engine
from alertengine.web import (
    audit,
    contacts,
    dlq,
    export,
    health,
    hooks,
    incidents,
    keys,
    local,
    local_people,
    operate,
    problems,
    push,
    recover,
    services,
    signin,
    silences,
    tenants,
    verify,
)
from alertengine.web.describe import describe
from alertengine.web.limits import SizeLimit
from alertengine.web.nowhere import nowhere


def _ignore(service_id: str) -> None:
    """No scheduler runs beside this app, so there is no poll to bring forward."""


def create_app(
    engine: Engine,
    admin_key: str,
    *,
    on_socket: bool = False,
    nudge: Callable[[str], None] = _ignore,
    trusted_proxies: Sequence[Network] = (),
) -> FastAPI:
    """The API and the pages. `on_socket`: for the local socket, whose file mode is the credential."""
    app = FastAPI(
        title="AlertEngine", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.engine = engine
    app.state.admin_key = admin_key
    app.state.local = on_socket
    app.state.trusted_proxies = tuple(trusted_proxies)
    problems.install(app)
    app.add_exception_handler(404, nowhere)
    app.add_middleware(SizeLimit)
    routers = [health.router(engine), tenants.router(engine), audit.router(engine), recover.router(engine)]
    routers += [push.router(engine, nudge), hooks.router(engine), dlq.router(engine)]
    routers += [verify.router(engine), services.router(engine), incidents.router(engine)]
    routers += [contacts.router(engine), keys.router(engine), operate.router(engine)]
    routers += [silences.router(engine), export.router(engine)]
    routers.append(signin.router(engine))
    if on_socket:
        routers += [local.router(engine), local_people.router(engine)]
    for router in routers:
        app.include_router(router)
    describe(app)
    return app
