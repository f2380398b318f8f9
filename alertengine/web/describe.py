"""The OpenAPI document: beside what FastAPI knows, every refusal that an operation may answer with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from alertengine.web.problems import MEDIA_TYPE

Json = dict[str, Any]

PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457. `code` is for programs, `detail` for people; some codes carry more fields.",
    "required": ["status", "title", "detail", "code"],
    "properties": {
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}
PAGE: Json = {"text/html": {"schema": {"type": "string"}}}
_ALWAYS = {
    431: "the head is over 16 KiB",
    500: "AlertEngine failed at this",
    503: "it could not be recorded, so nothing was done",
}
_BODY = {400: "the body is not JSON, or a code is wrong", 413: "the body is over 64 KiB"}
_KEY = {
    401: "no key, or an unknown one",
    403: "not yours, or not in the plan",
    404: "there is no such thing",
    429: "too often; `Retry-After` says how long to wait",
}
_CONFLICT = {409: "it does not stand like that any more"}
_LINK = {401: "the link is not valid or over", 403: "not an approver", 404: "it is gone", **_CONFLICT}
_MORE: dict[str, dict[int, str]] = {
    "/action/recover": _LINK | {429: "too often"},
    "/hooks": {401: "not signed by the provider", 404: "there is no such provider"},
    "/push": {401: "not signed by the service", 404: "there is no such service"},
    "/verify": {429: "too often"},
    "/signin": {401: "nobody is signed in", 429: "too often"},
    "/signout": {401: "not by the button on the page"},
    "/pin": {401: "nobody is signed in", 429: "too often"},
    "/incident": {401: "the link is not valid or over", 404: "there is no such thing", 429: "too often"},
}
_PAGES = ("/action/recover", "/incident", "/signin", "/signout", "/pin")
"""A browser is answered with a page, whatever the answer."""


def describe(app: FastAPI) -> None:
    """Let the document of `app` tell of refusals too."""
    plain = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _with_refusals(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _with_refusals(document: Json) -> Json:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM
    for path, method, operation in _operations(document):
        taken = dict(operation["responses"])
        taken.pop("422", None)
        told = _refusals(path, method, operation)
        refused = {str(status): _response(told[status], path) for status in sorted(told)}
        operation["responses"] = _with_pages(taken, path) | refused
    return document


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _refusals(path: str, method: str, operation: Json) -> dict[int, str]:
    found = dict(_ALWAYS)
    if operation.get("security"):
        found |= _KEY
    if operation.get("parameters") or "requestBody" in operation:
        found[422] = "what was given is not valid; `errors` names each field"
    if method in ("post", "patch", "delete"):
        found |= _BODY | _CONFLICT
    for prefix, more in _MORE.items():
        found |= more if path.startswith(prefix) else {}
    return found


def _with_pages(responses: Json, path: str) -> Json:
    if not path.startswith(_PAGES):
        return responses
    return {
        status: {**told, "content": {**told.get("content", {"application/json": {"schema": {}}}), **PAGE}}
        for status, told in responses.items()
    }


def _response(description: str, path: str) -> Json:
    content: Json = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if path.startswith(_PAGES):
        content |= PAGE
    return {"description": description[0].upper() + description[1:], "content": content}
