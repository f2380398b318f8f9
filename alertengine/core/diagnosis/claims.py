"""Claims of a diagnoser that writes freely, held against the measurements they cite."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alertengine.core.diagnosis.model import EvidenceItem
from alertengine.core.diagnosis.redaction import clean

CLAIM_LIMIT: Final = 300
CLAIMS_LIMIT: Final = 8

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence and the identifiers of the measurements it stands on."""

    text: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A claim that nobody gets to read, and why."""

    claim: Claim
    reason: str


def sift(
    claims: Iterable[Claim], known: Iterable[EvidenceItem]
) -> tuple[tuple[Claim, ...], tuple[Dropped, ...]]:
    """The claims that may be shown, cleaned, and those that may not."""
    texts = {item.id: item.text for item in known}
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    for claim in claims:
        shown = Claim(text=clean(claim.text, CLAIM_LIMIT), cites=claim.cites)
        reason = "there are enough claims" if len(kept) == CLAIMS_LIMIT else _objection(shown, texts)
        if reason:
            dropped.append(Dropped(claim=shown, reason=reason))
        else:
            kept.append(shown)
    return tuple(kept), tuple(dropped)


def _objection(claim: Claim, texts: dict[str, str]) -> str:
    """Why a claim cannot stand; empty if it can."""
    if not claim.text:
        return "it says nothing"
    if not claim.cites:
        return "it cites no measurement"
    if any(cited not in texts for cited in claim.cites):
        return "it cites a measurement that does not exist"
    measured = _numbers(" ".join(texts[cited] for cited in claim.cites))
    invented = _numbers(claim.text) - measured
    return f"its number {min(invented)} is not in what it cites" if invented else ""


def _numbers(text: str) -> set[str]:
    """The numbers of a text, written alike: 3,4 and 3.40 are 3.4."""
    found = (number.replace(",", ".") for number in _NUMBER.findall(text))
    return {(whole.rstrip("0").rstrip(".") or "0") if "." in whole else whole for whole in found}
