"""What a health address that cannot be read says about the service."""

from dataclasses import replace
from typing import Final

from alertengine.core.diagnosis import items
from alertengine.core.diagnosis.model import (
    CAUSES,
    CERTIFICATE_OR_DNS,
    EVIDENCE_LIMIT,
    SERVICE_DOWN,
    SUMMARY_LIMIT,
    UNCLEAR,
    FetchError,
    Finding,
)
from alertengine.core.diagnosis.redaction import clean, shorten
from alertengine.core.said import Said

_GATEWAY: Final = (502, 503, 504)

_READINGS: Final = {
    "refused": (SERVICE_DOWN, 0.95),
    "timeout": (SERVICE_DOWN, 0.75),
    "dns": (CERTIFICATE_OR_DNS, 0.95),
    "tls": (CERTIFICATE_OR_DNS, 0.95),
    "not_json": (UNCLEAR, 0.4),
    "wrong_shape": (UNCLEAR, 0.4),
    "too_large": (UNCLEAR, 0.4),
    "gateway": (SERVICE_DOWN, 0.85),
    "failing": (SERVICE_DOWN, 0.6),
    "status": (UNCLEAR, 0.4),
    "unread": (UNCLEAR, 0.4),
}


def from_fetch_error(error: FetchError) -> Finding:
    """The service as its caller sees it, when it says nothing itself."""
    kind = str(error.kind)
    if kind == "status" or kind not in _READINGS:
        kind = _status(error.status)
    cause, confidence = _READINGS[kind]
    summary, check = Said(f"fetch.{kind}", {"status": error.status}), Said(f"fetch_check.{kind}")
    detail = clean(error.detail, 100)
    what = (clean(str(error.kind), 20) or "?") + (f", “{detail}”" if detail else "")
    return Finding(
        cause=cause,
        confidence=confidence,
        summary=summary.english,
        evidence=(items.item("health-address", "address", what=what),),
        alternatives=_others(cause, confidence),
        route=None,
        dependency=None,
        check_first=check.english,
        said={"summary": summary, "check_first": check},
    )


SMOTHERING: Final = frozenset({"memory_leak", "cpu_hog", "loop_block", "pool_exhaustion", "traffic_surge"})
"""Causes that keep a living process from answering."""


def last_words(error: FetchError, before: Finding) -> Finding:
    """A service that no longer answers in time, and whose last report told why."""
    silent = from_fetch_error(error)
    if error.kind != "timeout" or before.cause not in SMOTHERING:
        return silent
    sure = round(0.9 * before.confidence, 2)
    summary = Said("summary.silent", {"before": before.said["summary"]})
    return replace(
        before,
        confidence=sure,
        summary=shorten(summary.english, SUMMARY_LIMIT),
        evidence=(*silent.evidence, *before.evidence)[:EVIDENCE_LIMIT],
        alternatives=((SERVICE_DOWN, round(1 - sure, 2)),),
        said={**before.said, "summary": summary},
    )


def _status(status: int | None) -> str:
    if status is None:
        return "unread"
    if status in _GATEWAY:
        return "gateway"
    return "failing" if 500 <= status <= 599 else "status"


def _others(cause: str, confidence: float) -> tuple[tuple[str, float], ...]:
    rest = round((1 - confidence) / 2, 2)
    likely = {SERVICE_DOWN: "loop_block", CERTIFICATE_OR_DNS: SERVICE_DOWN, UNCLEAR: SERVICE_DOWN}[cause]
    return tuple((name, rest) for name in (likely,) if name in CAUSES)
