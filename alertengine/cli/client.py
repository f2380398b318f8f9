"""The one way from the command line to the product.

Where a daemon runs, its local socket: one process alone writes the store. Where none does, the same API on an
engine in this process (`cli/own.py`), whose loop is run after each write until nothing is due.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import httpx2

from alertengine.config import Settings
from alertengine.datadir import DataDir
from alertengine.errors import AlertEngineError, DaemonUnreachable, DataDirectoryHeld
from alertengine.settings.store import StoreSection

if TYPE_CHECKING:
    from alertengine.cli.own import Own

T = TypeVar("T")

KNOCK_S = 3.0
"""A daemon that does not say within this that it is there is hung."""
ANSWER_S = 60.0
"""No request takes longer: the slowest asks a service for its recoveries or its preview."""
STARTING_S = 5.0
"""A daemon that holds the directory may still be on its way to its socket."""


class Problem(AlertEngineError):
    """The product refused: its own words, its code and its HTTP status."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.http_status = status
        self.problem_code = code
        super().__init__(detail)


class Client:
    """`own` is the engine in this process; None where a daemon answers."""

    def __init__(self, http: httpx2.AsyncClient, data: DataDir, own: Own | None = None) -> None:
        self._http = http
        self._data = data
        self._own = own

    @property
    def has_daemon(self) -> bool:
        return self._own is None

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        given = {key: value for key, value in params.items() if value is not None}
        return await self._ask("GET", path, params=given)

    async def save(self, path: str, file: IO[bytes], **params: Any) -> None:
        """What is answered, written to the file as it comes."""
        given = {key: value for key, value in params.items() if value is not None}
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(ANSWER_S) as patience,
                self._http.stream("GET", path, params=given) as answer,
            ):
                if not answer.is_success:
                    await answer.aread()
                    _read(answer)
                async for part in answer.aiter_bytes():
                    file.write(part)
                    patience.reschedule(loop.time() + ANSWER_S)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _unreachable(self._data) from error

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return await self._write("POST", path, json=dict(body or {}))

    async def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._write("PATCH", path, json=dict(body))

    async def delete(self, path: str) -> dict[str, Any]:
        return await self._write("DELETE", path)

    async def tick(self, tenant: str, service_id: str) -> None:
        """Without a daemon nobody polls: do it once, for this service."""
        if self._own is not None:
            await self._own.tick(tenant, service_id)

    async def _write(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = await self._ask(method, path, **more)
        if self._own is not None:
            await self._own.settle()
        return answer

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._http.request(method, path, **more)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _unreachable(self._data) from error
        return _read(answer)


def run(settings: Settings, work: Callable[[Client], Coroutine[Any, Any, T]], *, begins: bool = False) -> T:
    """`work` with a client, to its end. `begins`: it may be the first thing ever done here."""

    async def whole() -> T:
        async with connected(settings) as client:
            return await work(client)

    if begins or DataDir(settings.data_dir).is_there:
        return asyncio.run(whole())
    # Whoever only looks leaves nothing behind: they see what an empty place looks like.
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(settings, data_dir=Path(folder), store=StoreSection())
        return asyncio.run(whole())


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """Raises `DaemonUnreachable` where somebody holds the data directory but does not answer."""
    data = DataDir(settings.data_dir)
    data.prepare()
    async with AsyncExitStack() as stack:
        yield await _daemon(stack, data) or await _here(stack, settings, data)


async def _daemon(stack: AsyncExitStack, data: DataDir) -> Client | None:
    """A client of the daemon, or None where none listens. The lock is not probed: that would take it."""
    if not data.socket.exists():
        return None
    http = await _http(stack, httpx2.AsyncHTTPTransport(uds=str(data.socket), trust_env=False))
    try:
        async with asyncio.timeout(KNOCK_S):
            await http.get("/health")
    except TimeoutError as error:
        raise _unreachable(data) from error
    except httpx2.HTTPError:
        return None  # a socket that a killed daemon left behind, or one that is closing
    return Client(http, data)


async def _here(stack: AsyncExitStack, settings: Settings, data: DataDir) -> Client:
    """An engine in this process; or the daemon that took the directory meanwhile, or is still starting."""
    from alertengine.cli.own import open_own

    loop = asyncio.get_running_loop()
    deadline = loop.time() + STARTING_S
    while True:
        try:
            own = await stack.enter_async_context(open_own(settings))
        except DataDirectoryHeld as held:
            if loop.time() > deadline:
                raise _unreachable(data) from held
            await asyncio.sleep(0.1)
            client = await _daemon(stack, data)
            if client is not None:
                return client
        else:
            return Client(await _http(stack, own.transport), data, own)


async def _http(stack: AsyncExitStack, transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    client = httpx2.AsyncClient(
        transport=transport, base_url="http://alertengine", timeout=None, trust_env=False
    )
    return await stack.enter_async_context(client)


def _read(answer: httpx2.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    said: dict[str, Any] = body if isinstance(body, dict) else {}
    if answer.is_success:
        return said
    detail = str(said.get("detail") or f"HTTP {answer.status_code}")
    raise Problem(answer.status_code, str(said.get("code", "")), detail)


def _unreachable(data: DataDir) -> DaemonUnreachable:
    return DaemonUnreachable(
        f"Another AlertEngine{_process(data)} holds {data.path} but does not answer. Look at its log; where it is "
        "stopped or hung, end it and start `alertengine serve` again."
    )


def _process(data: DataDir) -> str:
    try:
        pid = (data.path / "lock").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {pid})" if pid.isdigit() else ""
