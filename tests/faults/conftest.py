"""A daemon, a patient and a phone for each test."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import QUICK, SECRET, Admit, Daemon, MakeDaemon, Patient, admit_on
from mounts import mounted
from recoveries import ACTIONS, Scripts
from stage import HEALTHY, Behaviour, Receiver, Server, Stage, drop, hang, say, unused_port

MISBEHAVING = {"hangs": hang, "drops": drop, "moved": say(302, location="/elsewhere")}


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    opened = Stage()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A short path: a Unix socket's must be."""
    with tempfile.TemporaryDirectory(prefix="ae-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def scripts(folder: Path) -> Scripts:
    return Scripts(folder)


@pytest.fixture(scope="session")
def misbehaving(stage: Stage) -> Iterator[dict[str, Server]]:
    """Where the http recoveries of the shared daemon lead."""
    servers = {name: Server(behave) for name, behave in MISBEHAVING.items()}
    for server in servers.values():
        stage.run(server.open())
    yield servers
    for server in servers.values():
        stage.run(server.close())


@pytest.fixture(scope="session")
def shared(folder: Path, scripts: Scripts, misbehaving: dict[str, Server]) -> Iterator[Daemon]:
    """One daemon for all tests that leave it running."""
    home = folder / "shared"
    home.mkdir()
    with unused_port() as refusing:
        urls = {name: f"{server.url}/" for name, server in misbehaving.items()}
        urls["refused"] = f"http://127.0.0.1:{refusing.getsockname()[1]}/"
        daemon = Daemon(home, QUICK + ACTIONS.format(scripts=scripts.folder, **urls))
        yield daemon.start()
        assert daemon.stop() == 0


@pytest.fixture
def serve(stage: Stage) -> Iterator[Callable[[Behaviour], Server]]:
    """Open a server that behaves so."""
    opened: list[Server] = []

    def make(behave: Behaviour = HEALTHY) -> Server:
        opened.append(Server(behave))
        stage.run(opened[-1].open())
        return opened[-1]

    yield make
    for server in opened:
        stage.run(server.close())


@pytest.fixture
def take(stage: Stage) -> Iterator[Callable[[], Receiver]]:
    """Open receivers of signed messages. None may ever get a message that does not verify."""
    opened: list[Receiver] = []

    def make() -> Receiver:
        opened.append(Receiver(say(204), secret=SECRET))
        stage.run(opened[-1].open())
        return opened[-1]

    yield make
    for receiver in opened:
        stage.run(receiver.close())
    assert [r.forged for r in opened if r.forged] == []


@pytest.fixture
def phone(take: Callable[[], Receiver]) -> Receiver:
    return take()


@pytest.fixture
def admit(serve: Callable[[Behaviour], Server], phone: Receiver, request: pytest.FixtureRequest) -> Admit:
    """Onboard a service on a daemon, by default the shared one."""

    def make(behave: Behaviour = HEALTHY, daemon: Daemon | None = None, **more: Any) -> Patient:
        return admit_on(daemon or request.getfixturevalue("shared"), serve(behave), phone, **more)

    return make


@pytest.fixture
def make_daemon(scripts: Scripts) -> Iterator[MakeDaemon]:
    """Daemons of this test alone, not started yet; ended and cleaned up after it."""
    made: list[Daemon] = []

    def make(config: str = QUICK, **more: Any) -> Daemon:
        home = Path(tempfile.mkdtemp(prefix="ae-"))
        made.append(Daemon(home, config.replace("{scripts}", str(scripts.folder)), **more))
        return made[-1]

    yield make
    for daemon in made:
        if daemon.process is not None:
            daemon.stop(signal.SIGKILL)
        shutil.rmtree(daemon.folder)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that nobody can write to, root included."""
    with tempfile.TemporaryDirectory(prefix="ae-") as name, mounted(Path(name) / "data", "ro") as folder:
        yield folder
