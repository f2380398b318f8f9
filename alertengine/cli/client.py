"""The one way from the command line to the product.

Where a daemon runs, its local socket: one process alone writes the store. Where none does, the same API on an
engine in this process, whose loop is run after each write until nothing is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx2

from alertengine.app import keys, open_engine
from alertengine.cli.output import say
from alertengine.config import Settings
from alertengine.datadir import DataDir
from alertengine.errors import AlertEngineError, DaemonUnreachable, DataDirectoryHeld
from alertengine.pipeline.advance import sweep
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.poll import poll
from alertengine.store import directory
from alertengine.web.app import create_app

T = TypeVar("T")

KNOCK_S = 3.0
"""A daemon that does not say within this that it is there is hung."""
ANSWER_S = 60.0
"""No request takes longer: the slowest asks a service for its recoveries or its preview."""
STARTING_S = 5.0
"""A daemon that holds the directory may still be on its way to its socket."""
RUN_S = 3700.0
"""Longer than any action may take."""
ROUNDS = 50


class Problem(AlertEngineError):
    """The product refused: its own words, its code and its HTTP status."""

    def __init__(self, status: int, code: str, detail: str, body: Mapping[str, Any]) -> None:
        self.http_status = status
        self.problem_code = code
        self.body = body
        super().__init__(detail)


class Client:
    """`engine` is the one in this process; None where a daemon answers."""

    def __init__(self, http: httpx2.AsyncClient, engine: Engine | None, held: str) -> None:
        self._http = http
        self._engine = engine
        self._held = held

    @property
    def has_daemon(self) -> bool:
        return self._engine is None

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        given = {key: value for key, value in params.items() if value is not None}
        return await self._ask("GET", path, params=given)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._ask("POST", path, json=dict(body or {}))
        if self._engine is not None:
            await settle(self._engine)
        return answer

    async def tick(self, tenant: str, service_id: str) -> None:
        """Without a daemon nobody polls: do it once for this service."""
        if self._engine is None:
            return
        service = await self._engine.store.fetch(directory.service(tenant, service_id))
        if service is not None:
            await poll(self._engine, service)
        await settle(self._engine)

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        with _talk_only(self._engine):
            try:
                async with asyncio.timeout(ANSWER_S):
                    answer = await self._http.request(method, path, **more)
            except (httpx2.HTTPError, TimeoutError) as error:
                raise _unreachable(self._held) from error
        return _read(answer)


def run(settings: Settings, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """`work` with a client, to its end."""

    async def whole() -> T:
        async with connected(settings) as client:
            return await work(client)

    return asyncio.run(whole())


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """Raises `DaemonUnreachable` where somebody holds the data directory but does not answer."""
    data = DataDir(settings.data_dir)
    data.prepare()
    async with AsyncExitStack() as stack:
        yield await _daemon(stack, data) or await _own(stack, settings, data)


async def _own(stack: AsyncExitStack, settings: Settings, data: DataDir) -> Client:
    """An engine here; or the daemon that took the directory meanwhile, or is still starting."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STARTING_S
    while True:
        try:
            engine = await stack.enter_async_context(open_engine(settings))
        except DataDirectoryHeld as held:
            if loop.time() > deadline:
                raise _unreachable(str(data.path)) from held
            await asyncio.sleep(0.1)
            client = await _daemon(stack, data)
            if client is not None:
                return client
        else:
            app = create_app(engine, keys(settings, data).admin_key, on_socket=True)
            transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
            return Client(await _http(stack, transport), engine, str(data.path))


async def _daemon(stack: AsyncExitStack, data: DataDir) -> Client | None:
    """A client of the daemon, or None where none listens. The lock is not probed: that would take it."""
    if not data.socket.exists():
        return None
    http = await _http(stack, httpx2.AsyncHTTPTransport(uds=str(data.socket), trust_env=False))
    try:
        async with asyncio.timeout(KNOCK_S):
            await http.get("/health")
    except TimeoutError as error:
        raise _unreachable(str(data.path)) from error
    except httpx2.HTTPError:
        return None  # a socket that a killed daemon left behind, or one that is closing
    return Client(http, None, str(data.path))


async def _http(stack: AsyncExitStack, transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    client = httpx2.AsyncClient(
        transport=transport, base_url="http://alertengine", timeout=None, trust_env=False
    )
    return await stack.enter_async_context(client)


async def settle(engine: Engine) -> None:
    """Advance, run and deliver until nothing is due. What is due later is the daemon's."""
    with _talk_only(engine):
        for _ in range(ROUNDS):
            await sweep(engine)
            running = list(engine.memory.tasks)
            if running:
                say("a recovery or its next step is running; waiting for its end")
                await asyncio.wait(running, timeout=RUN_S)
            if not await deliver_due(engine) and not running:
                return


@contextlib.contextmanager
def _talk_only(engine: Engine | None) -> Any:
    """The console channel writes to stdout, where a daemon has nothing else to say; a command's answer does."""
    if engine is None:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _read(answer: httpx2.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    said: dict[str, Any] = body if isinstance(body, dict) else {}
    if answer.is_success:
        return said
    detail = str(said.get("detail") or f"HTTP {answer.status_code}")
    raise Problem(answer.status_code, str(said.get("code", "")), detail, said)


def _unreachable(held: str) -> DaemonUnreachable:
    return DaemonUnreachable(
        f"A daemon holds {held} but does not answer on its socket. Look at its log; if it is stopped or hung, "
        "end that process and start `alertengine serve` again."
    )
