"""One exchange with a provider: its answer, or a failure in the outbox's words.

No word of a provider's answer goes into an error: it may echo what we sent, secrets included. Known codes are
told in our own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from alertengine.core.given import Given
from alertengine.errors import DeliveryError, Fault, HttpError
from alertengine.http import Response
from alertengine.ports import Clock
from alertengine.tools import Tools

TIMEOUT_S = 10.0
BROUGHT = "not configured; for contacts that bring their own"


async def ask(
    tools: Tools,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float | None = None,
    given: Given = Given.OPERATOR,
) -> Response:
    """Ask once; `given`: who named the URL. Raises `DeliveryError` where there is no whole answer."""
    try:
        return await tools.http.fetch(
            method, url, timeout_s=timeout_s or TIMEOUT_S, headers=headers, body=body, given=given
        )
    except HttpError as error:
        raise DeliveryError(str(error), fault=_unanswered(error)) from None


def _unanswered(error: HttpError) -> Fault:
    if error.kind == "blocked":
        return Fault.CONFIG
    return Fault.UNKNOWN if error.sent else Fault.RETRY


def refusal(
    answer: Response,
    clock: Clock,
    reason: str,
    fault: Fault | None = None,
    retry_after_s: float | None = None,
) -> DeliveryError:
    """The error for an answer that is not the one hoped for. Without `fault` its status decides."""
    fault = fault or by_status(answer.status)
    wait = retry_after_s if retry_after_s is not None else retry_after(answer, clock)
    return DeliveryError(reason, fault=fault, retry_after_s=wait if fault is Fault.RETRY else None)


def by_status(status: int) -> Fault:
    return Fault.RETRY if status in (408, 409, 425, 429) or status >= 500 else Fault.CONFIG


def retry_after(answer: Response, clock: Clock) -> float | None:
    """Seconds that the answer asks to wait: `Retry-After` in either of its two forms."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - clock.wall()).total_seconds())
    except (ValueError, TypeError):
        return None


def clock_of(answer: Response) -> datetime | None:
    """What the other side's clock says."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError):
        return None


def answered_object(answer: Response) -> dict[str, Any]:
    """The JSON object in the answer; empty where it holds anything else."""
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
