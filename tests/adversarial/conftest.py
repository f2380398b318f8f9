"""Two tenants on one real daemon: one that is attacked, and one that attacks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import QUICK, SECRET, Answer, Daemon, Patient, admit_on
from recoveries import Scripts, command
from stage import HEALTHY, Receiver, Server, Stage, say

from alertengine.testing.wire.twilio import ACCOUNT_SID, AUTH_TOKEN, SENDER, TwilioServer

TWILIO = """
[channels.whatsapp]
kind = "whatsapp_twilio"
account_sid = "{sid}"
auth_token = "{token}"
from = "{sender}"
base_url = "{url}"
"""


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    opened = Stage()
    yield opened
    opened.close()


@dataclass
class Arena:
    """Everything that the rows of the table need, opened once."""

    daemon: Daemon
    stage: Stage
    scripts: Scripts
    twilio: TwilioServer

    def patient(self, **more: Any) -> Patient:
        """A new tenant with a healthy service and a phone, each of its own."""
        server, phone = Server(HEALTHY), Receiver(say(204), secret=SECRET)
        for opened in (server, phone):
            self.stage.run(opened.open())
            self._opened.append(opened)
        return admit_on(self.daemon, server, phone, **more)

    def __post_init__(self) -> None:
        self._opened: list[Server] = []

    def close(self) -> None:
        for opened in self._opened:
            self.stage.run(opened.close())

    def ask(self, method: str, path: str, key: str | None, json: Any = None) -> Answer:
        return self.daemon.ask(method, path, key=key, json=json)


@pytest.fixture(scope="session")
def arena(stage: Stage) -> Iterator[Arena]:
    home = Path(tempfile.mkdtemp(prefix="ae-"))
    twilio = TwilioServer()
    stage.run(twilio.__aenter__())
    whatsapp = TWILIO.format(sid=ACCOUNT_SID, token=AUTH_TOKEN, sender=SENDER, url=twilio.url)
    config = (QUICK + command("ok") + whatsapp).replace("{scripts}", str(home))
    opened = Arena(Daemon(home, config).start(), stage, Scripts(home), twilio)
    yield opened
    opened.close()
    assert opened.daemon.stop() == 0
    assert "Traceback" not in opened.daemon.output
    stage.run(twilio.__aexit__(None, None, None))
    shutil.rmtree(home)


@pytest.fixture
def victim(arena: Arena) -> Patient:
    return arena.patient(actions=["ok"])


@pytest.fixture
def attacker(arena: Arena) -> Patient:
    return arena.patient(actions=[])
