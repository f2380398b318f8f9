"""Which way a command goes: the daemon's socket, or an engine of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alertengine.cli import client, own
from alertengine.cli.client import Problem, _read
from alertengine.datadir import DataDir
from alertengine.errors import DataDirectoryHeld


@pytest.fixture
def held(cli: Any) -> Iterator[DataDir]:
    """Somebody holds the data directory."""
    data = DataDir(cli.data)
    data.prepare()
    with data.held():
        yield data


@contextmanager
def listening(path: Path) -> Iterator[None]:
    """A socket where somebody listens and nobody answers."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.bind(str(path))
        listener.listen()
        yield


def test_a_hung_daemon_is_75_and_says_what_to_do(
    cli: Any, held: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "KNOCK_S", 0.05)
    with listening(held.socket):
        said = cli("status", code=75)

    assert said.stdout == ""
    assert str(cli.data) in said.stderr
    assert "alertengine serve" in said.stderr
    assert "process" in said.stderr


def test_a_holder_without_a_socket_is_75(cli: Any, held: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STARTING_S", 0)
    assert "does not answer" in cli("incidents", code=75).stderr


def test_a_socket_left_behind_is_no_obstacle(cli: Any) -> None:
    cli.onboard()
    with listening(DataDir(cli.data).socket):
        pass
    assert cli.json("incidents") == {"incidents": []}


def test_a_daemon_that_is_still_starting_is_waited_for(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = own.open_own
    tries = []

    def first_held(settings: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise DataDirectoryHeld
        return opened(settings)

    monkeypatch.setattr(own, "open_own", first_held)
    assert cli.json("incidents") == {"incidents": []}
    assert len(tries) == 2


def test_a_path_too_long_for_a_socket_is_2(cli: Any) -> None:
    cli.data = cli.data / ("x" * 100)
    assert "too long" in cli("status", code=2).stderr


@pytest.mark.parametrize(
    ("answer", "detail", "code"),
    [
        (httpx2.Response(409, json={"detail": "no", "code": "REFUSED"}), "no", "REFUSED"),
        (httpx2.Response(500, text="<html>"), "HTTP 500", ""),
        (httpx2.Response(404, json=["x"]), "HTTP 404", ""),
    ],
)
def test_a_problem_is_told_in_its_own_words(answer: httpx2.Response, detail: str, code: str) -> None:
    with pytest.raises(Problem) as caught:
        _read(answer)
    assert (str(caught.value), caught.value.problem_code) == (detail, code)


async def test_what_runs_is_waited_for(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Leaving would make its outcome unknown; a word is said where it takes long."""
    monkeypatch.setattr(own, "PATIENCE_S", 0)
    ended = []

    async def recovery() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        ended.append(1)

    class Engine:
        class memory:
            tasks = {asyncio.ensure_future(recovery())}  # noqa: RUF012

    here = own.Own(Engine(), None)  # type: ignore[arg-type]
    assert await here._finish() is True
    assert ended == [1]
    assert "waiting for its end" in capsys.readouterr().err


def test_what_goes_wrong_inside_is_told_in_plain_lines(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(engine: Any) -> None:
        logging.getLogger("alertengine.x").warning("it broke: token=%s", "canary\x1b[2J")
        raise ValueError("canary")

    monkeypatch.setattr("alertengine.web.health.status", broken)
    said = cli("status", code=1).stderr

    assert "it broke: token=[hidden]" in said
    assert "\x1b" not in said
    assert "its log says more" in said
