"""Health reports over HTTP: our SDK's, or the wire format of fastapi-alertengine 1.7."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from alertengine.core.diagnosis.model import FetchError
from alertengine.core.model import ActionSpec, Service
from alertengine.core.snapshot import Snapshot, read_report, text, unreachable
from alertengine.errors import ConfigError, HttpError
from alertengine.http import Response
from alertengine.signing import webhook_headers
from alertengine.tools import Tools

_KINDS = {"blocked": "refused", "broken": "refused"}


class HealthSource:
    """Polls `health_url`, signed with the service's secret where it has one."""

    def __init__(self, tools: Tools, timeout_s: float) -> None:
        self._http = tools.http
        self._clock = tools.clock
        self._vault = tools.vault
        self._new_id = tools.new_id
        self._timeout_s = timeout_s

    async def poll(self, service: Service, evidence: bool) -> Snapshot:
        asked_at = self._clock.now()
        try:
            url = with_query(service.health_url, "evidence=1") if evidence else service.health_url
            answer = await self._get(service, url)
        except HttpError as error:
            kind = _KINDS.get(error.kind, error.kind)
            return unreachable(asked_at, FetchError(kind=kind, detail=str(error)))
        if answer.status != 200:
            detail = f"HTTP {answer.status}"
            return unreachable(asked_at, FetchError(kind="status", detail=detail, status=answer.status))
        try:
            report = answer.json()
        except (ValueError, RecursionError):
            return unreachable(asked_at, FetchError(kind="not_json", detail="not JSON"))
        return replace(read_report(asked_at, report), asked=evidence)

    async def recoveries(self, service: Service) -> tuple[ActionSpec, ...] | None:
        if service.sealed_secret is None:
            return ()
        try:
            answer = await self._get(service, service.recovery_url())
            listed: Any = answer.json() if answer.ok else {}
        except (HttpError, ValueError, RecursionError):
            return None
        if answer.status >= 500:
            return None
        rows = listed.get("recoveries") if isinstance(listed, dict) else None
        return tuple(spec for row in rows if (spec := _offered(row))) if isinstance(rows, list) else ()

    async def _get(self, service: Service, url: str) -> Response:
        headers = {"accept": "application/json"}
        if service.sealed_secret is not None:
            try:
                secret = self._vault.open(service.sealed_secret)
                now = int(self._clock.wall().timestamp())
                headers |= webhook_headers(secret, self._new_id("req"), now, b"")
            except ConfigError as error:
                raise HttpError("blocked", str(error), sent=False) from error
        return await self._http.fetch(
            "GET", url, timeout_s=self._timeout_s, headers=headers, given=service.given_by
        )


def with_query(url: str, extra: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise HttpError("blocked", "this is not a URL", sent=False) from None
    query = f"{parts.query}&{extra}" if parts.query else extra
    return urlunsplit(parts._replace(query=query))


def _offered(row: Any) -> ActionSpec | None:
    name = text(row.get("name"), 64) if isinstance(row, dict) else None
    if not name or "/" in name or "?" in name or "#" in name:
        return None
    return ActionSpec(
        name=name, kind="app", description=text(row.get("description")) or "", params={"name": name}
    )
