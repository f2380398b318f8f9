"""A recovery that is a signed POST to a URL of the operator's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from alertengine.core.diagnosis.redaction import redact
from alertengine.core.given import Given
from alertengine.core.model import ActionSpec, Risk
from alertengine.core.said import Figure
from alertengine.errors import HttpError
from alertengine.http import Response
from alertengine.ports import Outcome, Run
from alertengine.settings.url import WebUrl
from alertengine.signing import WebhookSecret, webhook_headers
from alertengine.tools import Tools, ended

PREVIEW_TIMEOUT_S = 10.0


class Config(BaseModel):
    """`url` is sent one signed POST and is never repeated; `preview_url` answers what it would do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"]
    url: WebUrl
    preview_url: WebUrl | None = None
    secret: WebhookSecret | None = None
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    description: str = ""
    risk: Risk = Risk.LOW
    approvals: Annotated[int, Field(ge=1, le=10)] = 1


EXAMPLE = """
[actions.failover]
kind = "http"
url = "https://ops.example.com/failover"
preview_url = "https://ops.example.com/failover/preview"
secret = "whsec_cmVwbGFjZSB0aGlz"          # or: secret_file = "/etc/alertengine/failover.secret"
description = "fail over to the second region"
"""


class HttpAction:
    """Signed with the configured secret, else with one that the operator alone can read."""

    kind = "http"

    def __init__(self, configured: Mapping[str, Config], tools: Tools) -> None:
        self._configured = configured
        self._http = tools.http
        self._clock = tools.clock
        self._tenant_secrets = tools.tenant_secrets

    def describe(self, spec: ActionSpec) -> str:
        return f"POST {spec.params['url']}"

    async def preview(self, spec: ActionSpec, run: Run) -> str | None:
        url = spec.params.get("preview_url")
        if not url:
            return None
        try:
            answer = await self._post(spec, run, url, PREVIEW_TIMEOUT_S, dry_run=True)
        except HttpError as error:
            return f"the preview could not be had: {error}"
        return redact(excerpt(answer)) or f"the preview answered HTTP {answer.status}"

    async def execute(self, spec: ActionSpec, run: Run) -> Outcome:
        began = self._clock.monotonic()
        try:
            answer = await self._post(spec, run, spec.params["url"], spec.params["timeout_s"], dry_run=False)
        except HttpError as error:
            return unanswered(error)
        took = round(self._clock.monotonic() - began, 3)
        facts = {
            "ran": True,
            "http_status": answer.status,
            "output": redact(excerpt(answer)),
            "duration_s": took,
        }
        status = "succeeded" if answer.ok else "failed"
        return ended(status, "http", facts, status=answer.status, span=Figure(took, "s"))

    async def _post(
        self, spec: ActionSpec, run: Run, url: str, timeout_s: float, *, dry_run: bool
    ) -> Response:
        message_id = f"{run.execution_id}-preview" if dry_run else run.execution_id
        body = request_body(spec.name, run, dry_run=dry_run)
        secret, *before = self._secrets(spec, run)
        headers = {
            "content-type": "application/json",
            "idempotency-key": message_id,
            **webhook_headers(secret, message_id, int(self._clock.wall().timestamp()), body, before=before),
        }
        given = Given(spec.params.get("given_by", Given.OPERATOR))
        return await self._http.fetch(
            "POST", url, timeout_s=timeout_s, headers=headers, body=body, given=given
        )

    def _secrets(self, spec: ActionSpec, run: Run) -> Sequence[str]:
        """The configured one is for the configured URL alone: another's recovery may have the same name."""
        own = self._configured.get(spec.name)
        if own is not None and own.secret is not None and own.url == spec.params["url"]:
            return (own.secret.get_secret_value(),)
        return self._tenant_secrets("recovery", run.tenant_id)


def request_body(action: str, run: Run, *, dry_run: bool) -> bytes:
    return json.dumps(
        {
            "action": action,
            "execution_id": run.execution_id,
            "incident_id": run.incident_id,
            "tenant_id": run.tenant_id,
            "service": run.service.name,
            "dry_run": dry_run,
        }
    ).encode()


def unanswered(error: HttpError) -> Outcome:
    """What no answer means: nothing was sent, so nothing ran; or it was, and nobody can know."""
    if not error.sent:
        return ended("failed", "unasked", {"ran": False}, error=str(error))
    return ended("unknown", "unanswered", {"error": str(error)}, error=str(error))


def excerpt(answer: Response, limit: int = 2000) -> str:
    raw = answer.body.decode(errors="replace")[:limit]
    return "".join(c for c in raw if c.isprintable() or c == "\n").strip()


def parsed(answer: Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
