"""Every refusal is recorded; a stranger who goes on is told to wait."""

from __future__ import annotations

from starlette.requests import Request

from alertengine.core.diagnosis.redaction import plain
from alertengine.errors import AlertEngineError, RateLimited
from alertengine.pipeline import limits, refusals
from alertengine.pipeline.engine import Engine
from alertengine.web.caller import caller, household

_STRANGERS = {"UNAUTHORIZED", "UNSIGNED", "TOKEN_INVALID"}
"""Told to somebody who has shown nothing genuine."""
_AUDITED = _STRANGERS | {
    "FORBIDDEN",
    "CODE_INVALID",
    "PLAN_FEATURE_UNAVAILABLE",
    "RATE_LIMITED",
    "SIGN_IN_FAILED",
}


def refused(request: Request, error: AlertEngineError) -> AlertEngineError:
    """What to answer to a request that raised `error`: that, or to wait. Put on record."""
    engine: Engine = request.app.state.engine
    if error.code not in _AUDITED or request.app.state.local:
        return error
    address = caller(request)
    answer = error
    if error.code in _STRANGERS:
        try:
            limits.spend(engine, "stranger", household(address))
        except RateLimited as limited:
            answer = limited
    who = getattr(request.state, "principal", None)
    actor = who.actor if who is not None else refusals.STRANGER
    data = {"address": address, "operation": _operation(request)}
    if who is not None and who.tenant_id is not None:
        data["tenant_id"] = who.tenant_id
    refusals.note(engine, answer.code, actor, data)
    return answer


def _operation(request: Request) -> str:
    """Which operation it was, by its template: a path that was made up is not copied into the record."""
    route = request.scope.get("route")
    return f"{plain(request.method)[:10]} {getattr(route, 'path', '(unknown)')}"
