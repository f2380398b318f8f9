"""A reading by Claude, by the Messages API of Anthropic or of anybody who speaks it."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import Any, Literal

import httpx2

from alertengine.core.diagnosis.question import TOOL, Question
from alertengine.core.said import Figure, Said, why
from alertengine.core.spend import Prices, Usage
from alertengine.diagnosers.capped import CappedTransport, TooMuch
from alertengine.errors import HttpError, ModelFailed
from alertengine.ports import Answer
from alertengine.settings.diagnosis import DiagnosisSection
from alertengine.tools import Tools

HOST = "https://api.anthropic.com"
MODEL = "claude-haiku-5-5"
_FAMILIES = {"haiku": Prices(usd_in=1.0, usd_out=5.0), "sonnet": Prices(usd_in=3.0, usd_out=15.0)}
_DEAREST = Prices(usd_in=15.0, usd_out=75.0)
"""What is not known is counted dear; `usd_per_million_in` and `usd_per_million_out` say better."""


class Config(DiagnosisSection):
    """Claude reads the same evidence beside the rules. Without `api_key` nothing is asked, and messages say so."""

    provider: Literal["claude"]
    model: str = MODEL
    base_url: str = HOST


EXAMPLE = """
[diagnosis]
provider = "claude"
api_key_file = "/etc/alertengine/anthropic.key"      # or: api_key, or ANTHROPIC_API_KEY
model = "claude-haiku-5-5"
usd_per_day = 1.0
"""


class ClaudeModel:
    name = "claude"

    def __init__(self, config: Config, tools: Tools) -> None:
        self.model = config.model
        self.prices = config.prices(_usual(config.model))
        self._key = config.api_key.get_secret_value() if config.api_key else None
        self._base_url = config.base_url
        self._transport = CappedTransport()
        self._client: Any = None

    def complaint(self) -> Said | None:
        return None if self._key else why("no_key")

    async def prepare(self) -> None:
        # The package takes a second to import: not on the loop that polls, nor in `--help`.
        if self._client is None:
            package = await asyncio.to_thread(import_module, "anthropic")
            self._client = self._client or self._connected(package)

    async def ask(self, question: Question, max_tokens: int, limit_s: float) -> Answer:
        try:
            # The package's own time-outs are for each read; a slow drip would outlive them.
            async with asyncio.timeout(limit_s):
                await self.prepare()
                message = await self._client.messages.create(**self._request(question, max_tokens))
        except TimeoutError:
            raise ModelFailed(why("late", span=Figure(limit_s, "s")), unsure=True, at_fault=True) from None
        except (HttpError, TooMuch) as error:
            raise ModelFailed(why("told", detail=str(error)), unsure=True, at_fault=True) from None
        except Exception as error:
            raise _failure(error) from None
        return self._read(message)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
        await self._transport.aclose()

    def _connected(self, package: Any) -> Any:
        # At INFO and DEBUG the package logs what it sends.
        logging.getLogger("anthropic").setLevel(logging.WARNING)
        return package.AsyncAnthropic(
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            timeout=None,
            open_telemetry=False,
            http_client=httpx2.AsyncClient(
                transport=self._transport, trust_env=False, follow_redirects=False, timeout=None
            ),
        )

    def _request(self, question: Question, max_tokens: int) -> dict[str, Any]:
        tool = {
            "name": TOOL,
            "description": "Report what probably broke, as far as the measurements tell.",
            "input_schema": question.schema,
            "strict": True,
        }
        # The tool and the instructions stay the same: what comes before this mark is remembered and cheap.
        system = [{"type": "text", "text": question.system, "cache_control": {"type": "ephemeral"}}]
        return {
            "model": self.model,
            "max_tokens": max_tokens,
            "system": system,
            "tools": [tool],
            "tool_choice": {"type": "tool", "name": TOOL, "disable_parallel_tool_use": True},
            "messages": [{"role": "user", "content": question.text}],
        }

    def _read(self, message: Any) -> Answer:
        usage = _usage(getattr(message, "usage", None))
        stop = getattr(message, "stop_reason", None)
        if stop in _STOPS:
            raise ModelFailed(why(_STOPS[stop]), charged=usage)
        content = getattr(message, "content", None)
        blocks = content if isinstance(content, list) else []
        calls = [
            b for b in blocks if getattr(b, "type", None) == "tool_use" and getattr(b, "name", None) == TOOL
        ]
        if len(calls) != 1:
            raise ModelFailed(why("no_form"), charged=usage, unsure=usage is None)
        return Answer(
            said=calls[0].input,
            model=str(getattr(message, "model", self.model))[:80],
            usage=usage,
            request_id=getattr(message, "_request_id", None),
        )


_STOPS = {
    "max_tokens": "cut_off",
    "model_context_window_exceeded": "too_long",
    "refusal": "declined",
}

_STATUS = {
    400: "not_accepted",
    401: "wrong_key",
    402: "no_credit",
    403: "not_allowed",
    404: "no_model",
    413: "too_long",
    429: "throttled",
    529: "overloaded",
}


def _failure(error: Exception) -> ModelFailed:
    """In our own words: the provider's may echo what was sent."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 400:
        return ModelFailed(
            why(_STATUS.get(status, "status"), status=status), at_fault=status == 429 or status >= 500
        )
    cause = error.__cause__
    if isinstance(cause, HttpError):
        return ModelFailed(why("told", detail=str(cause)), at_fault=True)
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return ModelFailed(why("unreachable"), at_fault=True)
    if isinstance(cause, TooMuch):
        return ModelFailed(why("told", detail=str(cause)), unsure=True, at_fault=True)
    if isinstance(cause, httpx2.HTTPError):
        return ModelFailed(why("broke"), unsure=True, at_fault=True)
    return ModelFailed(why("unreadable"), unsure=True, at_fault=True)


def _usage(found: Any) -> Usage | None:
    if found is None:
        return None
    counts = (_count(found, name) for name in _COUNTS)
    fresh, out, cached, remembered = counts
    return Usage(fresh=fresh, out=out, cached=cached, remembered=remembered)


_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def _count(found: Any, name: str) -> int:
    value = getattr(found, name, 0)
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0


def _usual(model: str) -> Prices:
    return next((prices for family, prices in _FAMILIES.items() if family in model), _DEAREST)
