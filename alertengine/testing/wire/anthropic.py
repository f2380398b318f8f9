"""Anthropic's Messages API, as far as a diagnosis uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied

API_KEY = "sk-ant-key-for-rehearsals"
VERSION = re.compile(r"20\d\d-\d\d-\d\d")
Said = Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]


class AnthropicServer(LoopbackServer):
    """`says` is what the model answers: the tool's arguments, or what makes them from the data that was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.says: Said = agreeing
        self._remembered: set[str] = set()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The data of each question, read from between its fences."""
        return [data_of(body["messages"][0]["content"]) for body in map(Request.json, self.requests)]

    def answer(self, request: Request) -> Reply:
        if request.path != "/v1/messages":
            return failed(404, "not_found_error")
        if API_KEY not in (
            request.headers.get("authorization", "").removeprefix("Bearer "),
            request.headers.get("x-api-key"),
        ):
            return failed(401, "authentication_error")
        if not VERSION.fullmatch(request.headers.get("anthropic-version", "")):
            self.problem("the version of the API is not named")
        body = request.json()
        for fault in request_faults(body):
            self.problem(fault)
            return failed(400, "invalid_request_error")
        return message(body, called(body, self._reading(body)), self._usage(body))

    def _reading(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        said = self.says
        return said(data_of(body["messages"][0]["content"])) if callable(said) else said

    def _usage(self, body: Mapping[str, Any]) -> dict[str, int]:
        """What comes before the mark is counted as remembered, the first time as written."""
        prefix = json.dumps([body["tools"], body["system"]])
        known = prefix in self._remembered
        self._remembered.add(prefix)
        marked = len(prefix) // 4
        return {
            "input_tokens": len(json.dumps(body["messages"])) // 4,
            "output_tokens": 120,
            "cache_read_input_tokens": marked if known else 0,
            "cache_creation_input_tokens": 0 if known else marked,
        }


def failed(status: int, kind: str, **headers: str) -> Reply:
    """An error in Anthropic's form. Its words echo what was sent, as a careless provider's may."""
    error = {"type": kind, "message": f"something about {API_KEY} and your prompt"}
    return replied({"type": "error", "error": error, "request_id": "req_1"}, status, **headers)


def message(
    body: Mapping[str, Any], content: list[dict[str, Any]], usage: Mapping[str, int], stop: str = "tool_use"
) -> Reply:
    told = {
        "id": "msg_rehearsal",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": dict(usage),
    }
    return replied(told, request_id="req_rehearsal")


def called(body: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = body["tool_choice"]["name"]
    return [{"type": "tool_use", "id": "toolu_1", "name": name, "input": dict(arguments)}]


def data_of(text: str) -> dict[str, Any]:
    """The JSON between the fences of a question; empty where they are not as they should be."""
    found = re.search(r"^<<<DATA-([0-9a-f]{16})\n(.*?)\nDATA-\1>>>$", text, re.DOTALL | re.MULTILINE)
    if found is None or text.count("<<<") != 1 or text.count(">>>") != 2:
        return {}
    data: dict[str, Any] = json.loads(found.group(2))
    return data


def agreeing(data: Mapping[str, Any]) -> dict[str, Any]:
    """A model that thinks what the rules think, and says so with the first measurement."""
    first = data["measurements"][0] if data.get("measurements") else {"id": "", "text": ""}
    recoveries = data.get("recoveries") or [{"id": "none"}]
    return {
        # Where it is not told what they think, it has no opinion.
        "cause": data.get("rules", {"cause": "unclear"})["cause"],
        "confidence": 0.8,
        "alternatives": [],
        "route": None,
        "dependency": None,
        "explanation": {"text": f"What stands out is this: {first['text']}.", "cites": [first["id"]]},
        "claims": [],
        "recommended_action": recoveries[0]["id"],
        "check_first": "Look at what changed last.",
    }


def request_faults(body: Mapping[str, Any]) -> Iterator[str]:
    """How a request breaks the API's form, or the promises of ours."""
    for key, kind in (
        ("model", str),
        ("max_tokens", int),
        ("messages", list),
        ("system", list),
        ("tools", list),
    ):
        if not isinstance(body.get(key), kind) or not body[key]:
            yield f"{key} is missing or not of its kind"
            return
    if [turn.get("role") for turn in body["messages"]] != ["user"]:
        yield "one turn of the user is asked"
    if body["system"][-1].get("cache_control") != {"type": "ephemeral"}:
        yield "nothing is marked to be remembered"
    choice, tool = body.get("tool_choice", {}), body["tools"][0]
    if len(body["tools"]) != 1 or choice.get("type") != "tool" or choice.get("name") != tool.get("name"):
        yield "the answer is not bound to one tool"
    if tool.get("strict") is not True:
        yield "the tool is not strict"
    yield from schema_faults(tool.get("input_schema", {}))


def schema_faults(schema: Mapping[str, Any]) -> Iterator[str]:
    """What strict schemas must have: every object closed, every property required."""
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield "an object is open"
        if sorted(schema.get("required", ())) != sorted(schema.get("properties", {})):
            yield "a property is not required"
    for key, inner in schema.items():
        if key in ("minimum", "maximum", "minLength", "maxLength"):
            yield f"{key} is not taken in strict schemas"
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, Mapping):
                yield from schema_faults({} if key == "enum" else one)
