"""Errors as application/problem+json, and nothing in them that the caller did not need."""

from __future__ import annotations

import logging
import math
from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from alertengine.errors import AlertEngineError, RateLimited, Refused
from alertengine.web.refusals import refused

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    body = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail, "code": code, **more}
    headers = {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def of_error(error: AlertEngineError) -> JSONResponse:
    more = error.details if isinstance(error, Refused) else {}
    answer = problem(error.status, error.code, str(error), **more)
    if isinstance(error, RateLimited):
        answer.headers["retry-after"] = str(math.ceil(error.retry_after_s))
    return answer


def install(app: FastAPI) -> None:
    app.add_exception_handler(AlertEngineError, _known)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AlertEngineError)
    return of_error(refused(request, error))


async def http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name
    answer = problem(error.status_code, code, str(error.detail))
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """What the path allows, of all its routes. Asked of each, for a router that was included lists none itself."""
    return {
        method
        for method in HTTPMethod
        if any(
            route.matches({**request.scope, "method": method.value})[0] is Match.FULL
            for route in request.app.routes
        )
    }


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """What is wrong and where; never the input itself, which may hold secrets."""
    assert isinstance(error, RequestValidationError)
    rows = [_row(request, e) for e in error.errors()]
    detail = "; ".join(f"{row['field']}: {row['message']}" for row in rows)
    return problem(422, "INVALID", detail, errors=rows)


def _row(request: Request, error: Any) -> dict[str, str]:
    """One thing that is wrong: the field, and in words that its writer understands."""
    if error["type"] == "json_invalid":
        return {
            "field": "body",
            "message": f"not JSON: {error['ctx']['error']}, at character {error['loc'][-1]}",
        }
    field = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    if field == "body" and "json" not in request.headers.get("content-type", ""):
        return {"field": field, "message": "send it with Content-Type: application/json"}
    return {"field": field, "message": error["msg"].removeprefix("Value error, ")}


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "INTERNAL", "AlertEngine itself failed at this; its log says more.")
