"""Messages on the terminal where the daemon runs."""

from __future__ import annotations

import asyncio
import sys
from typing import Literal

from pydantic import BaseModel, ConfigDict

from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError
from alertengine.ports import Examination, Receipt, Traits
from alertengine.tools import Tools


class Config(BaseModel):
    """No settings: it writes to the daemon's standard output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["console"] = "console"


EXAMPLE = """
[channels.console]
kind = "console"
"""


class ConsoleChannel:
    kind = "console"
    traits = Traits(idempotent=False)

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name

    def complaint(self, contact: Contact) -> str | None:
        return None

    async def examine(self) -> Examination:
        return Examination(detail="this terminal")

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        rule = "─" * 72
        try:
            await asyncio.to_thread(_write, f"{rule}\n{message.text}\n{rule}\n")
        except (OSError, ValueError) as error:  # a full disk that it is written to; a terminal that is gone
            raise DeliveryError(f"standard output cannot be written to: {error}") from None
        return Receipt()


def _write(text: str) -> None:
    # In a thread: a terminal that is held still (Ctrl-S) must not hold the daemon.
    sys.stdout.write(text)
    sys.stdout.flush()
