"""What a health address that cannot be read says about the service."""

from dataclasses import replace
from typing import Final

from alertengine.core.diagnosis.model import (
    CAUSES,
    CERTIFICATE_OR_DNS,
    EVIDENCE_LIMIT,
    EVIDENCE_TEXT_LIMIT,
    SERVICE_DOWN,
    SUMMARY_LIMIT,
    UNCLEAR,
    EvidenceItem,
    FetchError,
    Finding,
)
from alertengine.core.diagnosis.redaction import clean, shorten

_GATEWAY: Final = (502, 503, 504)

_READINGS: Final = {
    "refused": (SERVICE_DOWN, 0.95, "Nothing listens at the health address: the connection is refused.",
                "Is the process running, and on this port? Look at its last log lines."),
    "timeout": (SERVICE_DOWN, 0.75, "The health address does not answer in time: the service hangs, is "
                "overloaded or cannot be reached.",
                "Does the process answer on its own host? If it hangs there too, take a stack dump of it."),
    "dns": (CERTIFICATE_OR_DNS, 0.95, "The name of the health address cannot be resolved.",
            "Did the DNS record or the name server change? Resolve the name from another network."),
    "tls": (CERTIFICATE_OR_DNS, 0.95, "The secure connection to the health address fails.",
            "Has the certificate expired, or does it name another host? Look at its dates."),
    "not_json": (UNCLEAR, 0.4, "The health address answers, but not with a health report.",
                 "Does the address lead to the service itself, or to a login or error page in front of it?"),
    "wrong_shape": (UNCLEAR, 0.4, "The health address answers with something that is not a health report.",
                    "Is the address right, and does the service run a supported version of the SDK?"),
    "too_large": (UNCLEAR, 0.4, "The health address answers with far more than a health report.",
                  "Is the address right? A health report has a few kilobytes."),
}  # fmt: skip


def from_fetch_error(error: FetchError) -> Finding:
    """The service as its caller sees it, when it says nothing itself."""
    kind = str(error.kind)
    cause, confidence, said, check = _READINGS.get(kind) or _status(error)
    detail = clean(error.detail, 100)
    text = f"health address: {clean(kind, 20) or 'failed'}" + (f", “{detail}”" if detail else "")
    return Finding(
        cause=cause,
        confidence=confidence,
        summary=shorten(said, SUMMARY_LIMIT),
        evidence=(EvidenceItem(id="health-address", text=shorten(text, EVIDENCE_TEXT_LIMIT)),),
        alternatives=_others(cause, confidence),
        route=None,
        dependency=None,
        check_first=check,
    )


SMOTHERING: Final = frozenset({"memory_leak", "cpu_hog", "loop_block", "pool_exhaustion", "traffic_surge"})
"""Causes that keep a living process from answering."""


def last_words(error: FetchError, before: Finding) -> Finding:
    """A service that no longer answers in time, and whose last report told why."""
    silent = from_fetch_error(error)
    if error.kind != "timeout" or before.cause not in SMOTHERING:
        return silent
    sure = round(0.9 * before.confidence, 2)
    return replace(
        before,
        confidence=sure,
        summary=shorten(f"The service no longer answers. Its last report: {before.summary}", SUMMARY_LIMIT),
        evidence=(*silent.evidence, *before.evidence)[:EVIDENCE_LIMIT],
        alternatives=((SERVICE_DOWN, round(1 - sure, 2)),),
    )


def _status(error: FetchError) -> tuple[str, float, str, str]:
    status = error.status
    said = (
        "The health address cannot be read."
        if status is None
        else f"The health address answers with status {status}."
    )
    if status in _GATEWAY:
        return SERVICE_DOWN, 0.85, f"{said} What stands in front of the service does not reach it.", (
            "Is the process behind the proxy running? Look at its last log lines.")  # fmt: skip
    if status is not None and 500 <= status <= 599:
        return SERVICE_DOWN, 0.6, f"{said} The service is up but cannot report on itself.", (
            "Look at the service's log for the exception behind this answer.")  # fmt: skip
    return UNCLEAR, 0.4, f"{said} Nothing is known about the service itself.", (
        "Is the address right, and may this daemon read it?")  # fmt: skip


def _others(cause: str, confidence: float) -> tuple[tuple[str, float], ...]:
    rest = round((1 - confidence) / 2, 2)
    likely = {SERVICE_DOWN: "loop_block", CERTIFICATE_OR_DNS: SERVICE_DOWN, UNCLEAR: SERVICE_DOWN}[cause]
    return tuple((name, rest) for name in (likely,) if name in CAUSES)
