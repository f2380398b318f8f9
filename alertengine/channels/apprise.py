"""Copies of messages for further services, by apprise: information alone, never a link, and nobody counts as told."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from alertengine.channels import exchange
from alertengine.core.fit import clip, fit
from alertengine.core.message import Message, MessageKind
from alertengine.core.model import Contact
from alertengine.errors import ConfigError, DeliveryError, Fault
from alertengine.ports import Examination, Receipt, Traits
from alertengine.tools import Tools

TITLE_LIMIT = 200
TEXT_LIMIT = 1000
"""What nearly all of the services take."""
THREADS = 16
"""How many services may hang at once before no more are tried."""
REMEMBERED = 1000
_MISSING = "it needs the package apprise: pip install 'alertengine[apprise]'"
_TYPES = {
    MessageKind.ALERT: "failure",
    MessageKind.FAILED: "failure",
    MessageKind.NOT_RECOVERED: "failure",
    MessageKind.UNKNOWN: "warning",
    MessageKind.EXPIRED: "warning",
    MessageKind.RECOVERED: "success",
    MessageKind.HEALED: "success",
}


class Config(BaseModel):
    """`urls`: services as apprise writes them, secrets included; in `urls_file` or the environment one a line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["apprise"]
    urls: list[SecretStr] = Field(min_length=1)

    @field_validator("urls", mode="before")
    @classmethod
    def one_a_line(cls, value: Any) -> Any:
        """In a file or in the environment."""
        return value.split() if isinstance(value, str) else value


EXAMPLE = """
[channels.board]
kind = "apprise"              # needs: pip install 'alertengine[apprise]'. For information alone
urls = ["ntfys://ntfy.example.com/payments"]
"""


class AppriseChannel:
    kind = "apprise"
    traits = Traits(
        idempotent=False,
        informs=True,
        kinds=frozenset(MessageKind) - {MessageKind.ESCALATION, MessageKind.REMINDER, MessageKind.LINK},
    )

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name
        self._services = _services(name, config)
        self._took: dict[str, set[int]] = {}
        self._busy = 0

    def complaint(self, contact: Contact) -> str | None:
        return "where its copies go stands in the configuration" if contact.address else None

    async def examine(self) -> Examination:
        return Examination(
            detail=f"{len(self._services)} for information; not asked, for it would be a message"
        )

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        """To each service that has not taken this message yet: a try that half succeeded is not repeated to all."""
        took = self._took.setdefault(idempotency_key, set())
        while len(self._took) > REMEMBERED:
            self._took.pop(next(iter(self._took)))
        left = [n for n in range(len(self._services)) if n not in took]
        if self._busy + len(left) > THREADS:
            raise DeliveryError("its services still hang with earlier messages", fault=Fault.RETRY)
        tries = [self._begin(n, message, took) for n in left]
        _, hanging = await asyncio.wait(tries, timeout=exchange.TIMEOUT_S)
        if len(took) < len(self._services):
            how = f"{len(self._services) - len(took)} of {len(self._services)} services did not take it"
            raise DeliveryError(how, fault=Fault.UNKNOWN if hanging else Fault.RETRY)
        self._took.pop(idempotency_key, None)
        return Receipt()

    def _begin(self, number: int, message: Message, took: set[int]) -> asyncio.Future[None]:
        """In a thread, which is left alone where it hangs; what it manages late still counts."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        service = self._services[number]
        lines = fit((*message.body, message.footer), TEXT_LIMIT)

        def settle(taken: bool) -> None:
            self._busy -= 1
            if taken:
                took.add(number)
            if not done.done():
                done.set_result(None)

        def run() -> None:
            taken = _told(service, clip(message.title, TITLE_LIMIT), "\n".join(lines), message.kind)
            try:
                loop.call_soon_threadsafe(settle, taken)
            except RuntimeError:
                pass  # the daemon is gone meanwhile

        self._busy += 1
        threading.Thread(target=run, name=f"channel {self.name}", daemon=True).start()
        return done


def _told(notify: Callable[..., Any], title: str, body: str, kind: MessageKind) -> bool:
    try:
        notify_type = _TYPES.get(kind, "info")
        return bool(notify(title=title, body=body, body_format="text", notify_type=notify_type))
    except Exception:  # whatever a plugin raises may hold its URL
        return False


def _services(name: str, config: Config) -> list[Callable[..., Any]]:
    """One notifier for each URL. Raises `ConfigError`."""
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        raise ConfigError([f"channels.{name}: {_MISSING}"]) from None
    for logger in ("apprise", "urllib3", "requests_oauthlib"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # they tell URLs, with the secrets in them
    # A redirection would carry the secrets to wherever it leads.
    asset = apprise.AppriseAsset(
        app_id="AlertEngine", app_desc="AlertEngine", app_url="", http_redirects=False
    )
    found = [apprise.Apprise(asset=asset) for _ in config.urls]
    wrong = [n for n, url in enumerate(config.urls) if not found[n].add(url.get_secret_value())]
    if wrong:
        raise ConfigError([f"channels.{name}: urls[{n}] is not a URL that apprise knows" for n in wrong])
    return [one.notify for one in found]
