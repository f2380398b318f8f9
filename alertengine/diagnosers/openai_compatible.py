"""A reading by any endpoint that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, LM Studio, a proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from alertengine.core.diagnosis.question import TOOL, Question
from alertengine.core.diagnosis.reading import mapping
from alertengine.core.said import Said, why
from alertengine.core.spend import Prices, Usage
from alertengine.errors import HttpError, ModelFailed
from alertengine.http import Response
from alertengine.ports import Answer
from alertengine.settings.diagnosis import DiagnosisSection
from alertengine.settings.url import WebUrl
from alertengine.tools import Tools

FREE = Prices(usd_in=0.0, usd_out=0.0)


class Config(DiagnosisSection):
    """A model of your own, or anybody's: `base_url` ends where `/chat/completions` begins. With one on the same machine
    no evidence leaves it. It costs nothing unless the prices are given."""

    provider: Literal["openai_compatible"]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    base_url: WebUrl


EXAMPLE = """
[diagnosis]
provider = "openai_compatible"
base_url = "http://127.0.0.1:11434/v1"
model = "qwen3:8b"
deadline_s = 3
limit_s = 60                 # a local model may be slow: its reading then follows the message
"""


class OpenAICompatibleModel:
    name = "openai_compatible"

    def __init__(self, config: Config, tools: Tools) -> None:
        self.model = config.model
        self.prices = config.prices(FREE)
        self._url = f"{config.base_url.rstrip('/')}/chat/completions"
        self._key = config.api_key.get_secret_value() if config.api_key else None
        self._http = tools.http

    def complaint(self) -> Said | None:
        return None

    async def prepare(self) -> None:
        """Nothing takes time."""

    async def ask(self, question: Question, max_tokens: int, limit_s: float) -> Answer:
        headers = {"content-type": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        body = json.dumps(self._request(question, max_tokens), ensure_ascii=False).encode()
        try:
            answer = await self._http.fetch("POST", self._url, timeout_s=limit_s, headers=headers, body=body)
        except HttpError as error:
            raise ModelFailed(why("told", detail=str(error)), unsure=error.sent, at_fault=True) from None
        return self._read(answer)

    async def close(self) -> None:
        """The client belongs to the process."""

    def _request(self, question: Question, max_tokens: int) -> dict[str, Any]:
        form = {"name": TOOL, "strict": True, "schema": question.schema}
        return {
            "model": self.model,
            "max_tokens": max_tokens,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": f"{question.system}\n{_BY_JSON}"},
                {"role": "user", "content": question.text},
            ],
            "response_format": {"type": "json_schema", "json_schema": form},
        }

    def _read(self, answer: Response) -> Answer:
        told = _object(answer.body)
        if not answer.ok:
            failing = answer.status == 429 or answer.status >= 500
            key = _STATUS.get(answer.status, "status")
            raise ModelFailed(why(key, status=answer.status), at_fault=failing)
        usage = _usage(told["usage"]) if isinstance(told.get("usage"), dict) else None
        choices = told.get("choices")
        choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
        message = mapping(choice.get("message"))
        if message.get("refusal") or choice.get("finish_reason") == "content_filter":
            raise ModelFailed(why("declined"), charged=usage, unsure=usage is None)
        if choice.get("finish_reason") == "length":
            raise ModelFailed(why("cut_off"), charged=usage, unsure=usage is None)
        said = _object(message.get("content"))
        if not said:
            raise ModelFailed(why("no_form"), charged=usage, unsure=usage is None)
        return Answer(
            said=said, model=str(told.get("model") or self.model)[:80], usage=usage, request_id=None
        )


_BY_JSON = (
    f"Here the tool {TOOL} is called by answering with its arguments as one JSON object and nothing else."
)
_STATUS: Mapping[int, str] = {
    400: "not_accepted",
    401: "wrong_key",
    403: "not_allowed",
    404: "no_model",
    429: "throttled",
}


def _object(text: object) -> Mapping[str, Any]:
    """The JSON object in a text; empty for anything else."""
    if not isinstance(text, str | bytes):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _usage(found: Mapping[str, Any]) -> Usage:
    cached = _count(mapping(found.get("prompt_tokens_details")).get("cached_tokens"))
    asked = _count(found.get("prompt_tokens"))
    return Usage(fresh=max(0, asked - cached), out=_count(found.get("completion_tokens")), cached=cached)


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0
