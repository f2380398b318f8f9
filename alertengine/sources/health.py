"""Health reports over HTTP: our SDK's, or the wire format of fastapi-alertengine 1.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from alertengine.core.diagnosis.model import FetchError
from alertengine.core.model import ActionSpec, Service
from alertengine.core.snapshot import Snapshot, read_report, text, unreachable
from alertengine.errors import ConfigError, HttpError
from alertengine.http import Http, Response
from alertengine.ports import Clock
from alertengine.signing import Vault, webhook_headers

_KINDS = {"blocked": "refused", "broken": "refused"}


class HealthSource:
    """Polls `health_url`, signed with the service's secret where it has one."""

    def __init__(
        self, http: Http, clock: Clock, vault: Vault, new_id: Callable[[], str], timeout_s: float
    ) -> None:
        self._http = http
        self._clock = clock
        self._vault = vault
        self._new_id = new_id
        self._timeout_s = timeout_s

    async def poll(self, service: Service, evidence: bool) -> Snapshot:
        asked_at = self._clock.now()
        url = with_query(service.health_url, "evidence=1") if evidence else service.health_url
        try:
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
        return read_report(asked_at, report)

    async def recoveries(self, service: Service) -> tuple[ActionSpec, ...]:
        if service.sealed_secret is None:
            return ()
        try:
            answer = await self._get(service, recovery_url(service))
            listed: Any = answer.json() if answer.ok else {}
        except (HttpError, ValueError, RecursionError):
            return ()
        rows = listed.get("recoveries") if isinstance(listed, dict) else None
        return tuple(spec for row in rows if (spec := _offered(row))) if isinstance(rows, list) else ()

    async def _get(self, service: Service, url: str) -> Response:
        headers = {"accept": "application/json"}
        if service.sealed_secret is not None:
            try:
                secret = self._vault.open(service.sealed_secret)
            except ConfigError as error:
                raise HttpError("blocked", str(error), sent=False) from error
            headers |= webhook_headers(secret, self._new_id(), int(self._clock.now().timestamp()), b"")
        return await self._http.fetch("GET", url, timeout_s=self._timeout_s, headers=headers)


def recovery_url(service: Service, name: str | None = None, *, dry_run: bool = False) -> str:
    """Where the service's SDK takes recoveries: beside its health path."""
    parts = urlsplit(service.health_url)
    path = parts.path.rstrip("/") + "/recovery" + (f"/{name}" if name else "")
    return urlunsplit((parts.scheme, parts.netloc, path, "dry_run=1" if dry_run else "", ""))


def with_query(url: str, extra: str) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&{extra}" if parts.query else extra
    return urlunsplit(parts._replace(query=query))


def _offered(row: Any) -> ActionSpec | None:
    name = text(row.get("name"), 64) if isinstance(row, dict) else None
    if not name or "/" in name or "?" in name or "#" in name:
        return None
    return ActionSpec(
        name=name, kind="app", description=text(row.get("description")) or "", params={"name": name}
    )
