"""The words of a diagnosis: its causes, its finding and what the finding stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alertengine.core.said import Said  # whose English needs the causes below

UNCLEAR: Final = "unclear"
SERVICE_DOWN: Final = "service_down"
CERTIFICATE_OR_DNS: Final = "certificate_or_dns"

CAUSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "db_slow": "database is slow",
        "upstream_5xx": "outside service answers with errors",
        "upstream_timeout": "outside service does not answer in time",
        "upstream_throttle": "outside service refuses for too many calls",
        "upstream_down": "outside service cannot be reached",
        "bad_deploy": "new version is faulty",
        "app_exception": "application code fails",
        "memory_leak": "memory is leaking",
        "cpu_hog": "processor is busy with one task",
        "loop_block": "event loop is blocked",
        "pool_exhaustion": "database connections are used up",
        "disk_full": "disk is full",
        "traffic_surge": "far more traffic than usual",
        "scanner_4xx": "somebody is scanning for pages that do not exist",
        "auth_break": "logins and credentials are being refused",
        "no_traffic": "no requests arrive",
        CERTIFICATE_OR_DNS: "certificate or DNS failure",
        SERVICE_DOWN: "service cannot be reached",
        UNCLEAR: "cause is not clear",
    }
)

SUMMARY_LIMIT: Final = 400
EVIDENCE_LIMIT: Final = 6
EVIDENCE_TEXT_LIMIT: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceItem:
    """One measurement in words; `id` names its place in the report, so that a claim can cite it."""

    id: str
    text: str
    said: Said | None = None
    """The text for every language, where it is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The likeliest cause, or `unclear` with the two likeliest in `alternatives`."""

    cause: str
    confidence: float
    summary: str
    evidence: tuple[EvidenceItem, ...]
    alternatives: tuple[tuple[str, float], ...]
    route: str | None
    dependency: str | None
    check_first: str
    said: Mapping[str, Said] = field(default_factory=dict)
    """Of `summary` and `check_first` those that are ours, for every language."""
    blind: str | None = None
    """Why the service showed no evidence, where that is known: no_secret or secret_rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchError:
    """Why the health address could not be read.

    `kind` is one of refused, timeout, dns, tls, status, not_json, wrong_shape, too_large,
    unread (the reader itself broke).
    """

    kind: str
    detail: str = ""
    status: int | None = None
