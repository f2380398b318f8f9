"""A recovery that the monitored app itself offers, through the SDK's hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from alertengine.actions.http import parsed, request_body, unanswered
from alertengine.core.diagnosis.harmless import unlinked
from alertengine.core.diagnosis.reading import positive
from alertengine.core.diagnosis.redaction import clean
from alertengine.core.model import ActionSpec, Risk
from alertengine.errors import ConfigError, HttpError
from alertengine.http import Response
from alertengine.ports import Outcome, Run
from alertengine.signing import webhook_headers
from alertengine.tools import Tools, ended

PREVIEW_TIMEOUT_S = 10.0


class Config(BaseModel):
    """`name` is the one given to `@monitor.recovery(name)` in the app."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["app"]
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/?#\s]+$")]
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    description: str = ""
    risk: Risk = Risk.LOW
    approvals: Annotated[int, Field(ge=1, le=10)] = 1


EXAMPLE = """
[actions.restart-pool]
kind = "app"
name = "restart-pool"
description = "recycle the connection pool"
"""


class AppAction:
    kind = "app"

    def __init__(self, configured: Mapping[str, Config], tools: Tools) -> None:
        self._http = tools.http
        self._clock = tools.clock
        self._vault = tools.vault

    def describe(self, spec: ActionSpec) -> str:
        return f"recovery {spec.params['name']} inside the app"

    async def preview(self, spec: ActionSpec, run: Run) -> str | None:
        try:
            answer = await self._post(spec, run, PREVIEW_TIMEOUT_S, dry_run=True)
        except HttpError as error:
            return f"the app could not be asked for a preview: {error}"
        preview = parsed(answer).get("preview")
        return clean(preview, 2000) if answer.ok and isinstance(preview, str) else None

    async def execute(self, spec: ActionSpec, run: Run) -> Outcome:
        try:
            answer = await self._post(spec, run, spec.params.get("timeout_s", 30.0), dry_run=False)
        except HttpError as error:
            return unanswered(error)
        return _outcome(answer)

    async def _post(self, spec: ActionSpec, run: Run, timeout_s: float, *, dry_run: bool) -> Response:
        name = spec.params["name"]
        url = run.service.recovery_url(name, dry_run=dry_run)
        message_id = f"{run.execution_id}-preview" if dry_run else run.execution_id
        body = request_body(name, run, dry_run=dry_run)
        now = self._clock.wall()
        if dry_run:  # the SDK refuses an id that it has seen for something else
            message_id += f"-{int(now.timestamp() * 1e6)}"
        headers = {
            "content-type": "application/json",
            **webhook_headers(self._secret(run), message_id, int(now.timestamp()), body),
        }
        return await self._http.fetch(
            "POST", url, timeout_s=timeout_s, headers=headers, body=body, given=run.service.given_by
        )

    def _secret(self, run: Run) -> str:
        if run.service.sealed_secret is None:
            raise HttpError("blocked", "this service was onboarded without --service-secret", sent=False)
        try:
            return self._vault.open(run.service.sealed_secret)
        except ConfigError as error:
            raise HttpError("blocked", str(error), sent=False) from error


def _outcome(answer: Response) -> Outcome:
    said = parsed(answer)
    facts = {
        "ran": True,
        "http_status": answer.status,
        "duration_s": positive(said.get("duration_s")),
        "output": clean(str(said.get("result") or said.get("error") or ""), 2000),
    }
    if answer.ok and said.get("status") == "succeeded":
        return ended("succeeded", "app", facts)
    if answer.status >= 500 and "status" not in said:
        return ended("unknown", "app_unclear", facts, status=answer.status)
    facts["ran"] = said.get("status") == "failed"
    if facts["output"]:
        return Outcome(status="failed", detail=unlinked(str(facts["output"])), facts=facts)
    return ended("failed", "app_http", facts, status=answer.status)
