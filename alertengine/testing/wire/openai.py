"""Chat completions in OpenAI's form, as local servers speak it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from alertengine.testing.wire.anthropic import Said, agreeing, data_of, schema_faults
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied

API_KEY = "sk-local-key-for-rehearsals"


class OpenAIServer(LoopbackServer):
    """`says` is what the model answers. `key`: what it wants to be asked with; None for a server that asks for none."""

    def __init__(self, key: str | None = None) -> None:
        super().__init__()
        self.says: Said = agreeing
        self.key = key

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [data_of(body["messages"][-1]["content"]) for body in map(Request.json, self.requests)]

    def answer(self, request: Request) -> Reply:
        if request.path != "/v1/chat/completions":
            return failed(404)
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return failed(401)
        body = request.json()
        for fault in request_faults(body):
            self.problem(fault)
            return failed(400)
        data = data_of(body["messages"][-1]["content"])
        said = self.says(data) if callable(self.says) else self.says
        return completion(body, json.dumps(said))


def failed(status: int, **headers: str) -> Reply:
    error = {"message": f"something about {API_KEY} and your prompt", "type": "error", "code": None}
    return replied({"error": error}, status, **headers)


def completion(
    body: Mapping[str, Any], content: str | None, finish: str = "stop", refusal: str | None = None
) -> Reply:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": len(json.dumps(body["messages"])) // 4, "completion_tokens": 120}
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": body["model"]}
    return replied({**told, "choices": [choice], "usage": usage})


def request_faults(body: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(body.get("model"), str) or not isinstance(body.get("max_tokens"), int):
        yield "model or max_tokens is missing"
    messages = body.get("messages")
    if not isinstance(messages, list) or [m.get("role") for m in messages] != ["system", "user"]:
        yield "a system's and a user's message are asked"
        return
    form = body.get("response_format", {})
    told = form.get("json_schema", {})
    if form.get("type") != "json_schema" or told.get("strict") is not True or not told.get("name"):
        yield "the answer is not bound to a strict schema"
    yield from schema_faults(told.get("schema", {}))
