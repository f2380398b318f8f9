"""The daemon: the engine, its scheduler, and the API on a port and on the local socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import uvicorn
from fastapi import FastAPI

from alertengine import __version__
from alertengine.app import keys, networks, open_engine
from alertengine.config import Settings
from alertengine.core.events import NewEvent, SystemEventType
from alertengine.datadir import DataDir
from alertengine.errors import AlertEngineError, ConfigError, StoreUnavailable
from alertengine.pipeline import limits
from alertengine.pipeline.advance import sweep
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.people import missing
from alertengine.pipeline.post import Poster, posting
from alertengine.pipeline.reseal import reseal
from alertengine.pipeline.retention import Retention
from alertengine.scheduler import Scheduler
from alertengine.store import outbox
from alertengine.store.log import SYSTEM_TREE
from alertengine.web.app import create_app
from alertengine.web.patience import MOST, PatientProtocol

log = logging.getLogger(__name__)

SHUTDOWN_S = 3
FILES = 8192
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A daemon at work. `url` is where it listens."""

    engine: Engine
    settings: Settings
    url: str


class _Server(uvicorn.Server):
    """Signals belong to the daemon, which has two servers to stop and a loop to finish first."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Start everything; stop it in reverse. Raises `ConfigError` where the port is taken."""
    data = DataDir(settings.data_dir)
    data.prepare()
    with data.held():
        pass  # another daemon of this folder is named as such, and not as a port that is taken
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(_listen(settings)))
        port = listener.getsockname()[1]
        settings = replace(settings, server=settings.server.model_copy(update={"port": port}))
        engine = await stack.enter_async_context(open_engine(settings))
        own = keys(settings, data)
        admin_key = own.admin_key
        for problem in await missing(engine):
            # Somebody who left one tenant must not keep the daemon from watching over all of them.
            log.warning("%s", problem)
        await engine.store.verify()
        if own.previous:
            with contextlib.suppress(StoreUnavailable):
                await reseal(engine)
        retention = Retention(engine, settings.retention.days, settings.archive_path)
        jobs = [(c.checkpoint_every_s, Poster(engine, c).run) for c in posting(engine)]
        scheduler = Scheduler(engine, settings.poll.interval_s, [(HOUR_S, retention.run), *jobs])
        # Where the store cannot be written the daemon still runs, to say so: nothing is executed.
        with contextlib.suppress(StoreUnavailable):
            await _note(engine, SystemEventType.DAEMON_STARTED, version=__version__)
            # What a former life left authorized, started or half sent is settled before anybody asks for more.
            await engine.store.transact(lambda tx: outbox.reclaim(tx, engine.now()))
            await sweep(engine)
        local = stack.enter_context(contextlib.closing(_listen_locally(data)))
        stack.callback(data.socket.unlink, missing_ok=True)
        await stack.enter_async_context(
            serving(_config(create_app(engine, admin_key, on_socket=True)), local)
        )
        await limits.load(engine)
        stack.push_async_callback(limits.keep, engine)
        proxies = networks(settings.server.trusted_proxies)
        public = create_app(engine, admin_key, nudge=scheduler.nudge, trusted_proxies=proxies)
        await stack.enter_async_context(serving(_config(public), listener))
        await scheduler.start()
        stack.push_async_callback(_stop, engine, scheduler)
        yield Running(engine=engine, settings=settings, url=f"http://{settings.server.host}:{port}")


async def serve(settings: Settings, ready: Callable[[Running], None]) -> None:
    """Run until SIGTERM or SIGINT."""
    _allow_files()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as daemon:
        ready(daemon)
        await stop.wait()


def _allow_files() -> None:
    """A connection is a file; many come at once when everybody taps."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise ConfigError(
            [
                f"server.port: {host}:{port} cannot be listened on ({error.strerror}); choose another with --port"
            ]
        ) from error
    return listener


def _listen_locally(data: DataDir) -> socket.socket:
    data.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(data.socket))
    finally:
        os.umask(before)
    return listener


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # it would print the tokens in the links
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # anybody on this machine could write an address into the record with them
        timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=15,
        limit_concurrency=2 * MOST,
        http=PatientProtocol,
        ws="none",
    )


@asynccontextmanager
async def serving(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on a socket that is bound already, until the block ends."""
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def _stop(engine: Engine, scheduler: Scheduler) -> None:
    await scheduler.stop()
    with contextlib.suppress(AlertEngineError):
        await _note(engine, SystemEventType.DAEMON_STOPPED)


async def _note(engine: Engine, kind: SystemEventType, **data: object) -> None:
    event = NewEvent(type=kind, data={"boot": engine.boot, **data})
    expected = 0 if kind is SystemEventType.DAEMON_STARTED else 1
    await engine.store.transact(
        lambda tx: tx.append(SYSTEM_TREE, engine.boot, [event], expected, engine.now())
    )
