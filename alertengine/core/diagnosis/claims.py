"""Claims of a diagnoser that writes freely, held against the measurements they cite."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alertengine.core.diagnosis.harmless import REMOVED, harmless
from alertengine.core.diagnosis.model import EvidenceItem

CLAIM_LIMIT: Final = 300
CLAIMS_LIMIT: Final = 8

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_WORDS: Final = {
    "ten": "10", "eleven": "11", "twelve": "12", "dozen": "12", "fifteen": "15", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "hundred": "100", "hundreds": "100", "thousand": "1000", "thousands": "1000", "million": "1000000",
    "millions": "1000000", "billion": "1000000000",
}  # fmt: skip
_WORD: Final = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


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
    """The claims that may be shown, made harmless, and those that may not."""
    texts = {item.id: item.text for item in known}
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    for claim in claims:
        shown = Claim(text=harmless(claim.text, CLAIM_LIMIT), cites=claim.cites)
        reason = "there are enough claims" if len(kept) == CLAIMS_LIMIT else _objection(shown, texts)
        if reason:
            dropped.append(Dropped(claim=shown, reason=reason))
        else:
            kept.append(shown)
    return tuple(kept), tuple(dropped)


def _objection(claim: Claim, texts: dict[str, str]) -> str:
    """Why a claim cannot stand; empty if it can."""
    if not any(c.isalpha() for c in claim.text):
        return "it says nothing"
    if any(removed in claim.text for removed in REMOVED):
        return "it holds something to open, to dial or to write to"
    if not claim.cites:
        return "it cites no measurement"
    if any(cited not in texts for cited in claim.cites):
        return "it cites a measurement that does not exist"
    measured = _numbers(" ".join(texts[cited] for cited in claim.cites))
    invented = _numbers(claim.text) - measured
    return f"its number {min(invented)} is not in what it cites" if invented else ""


def _numbers(text: str) -> set[str]:
    """The numbers of a text, written alike: 3,4 and 3.40 are 3.4, and ninety is 90."""
    found = [number.replace(",", ".") for number in _NUMBER.findall(text)]
    found += [_WORDS[word.lower()] for word in _WORD.findall(text)]
    return {(whole.rstrip("0").rstrip(".") or "0") if "." in whole else whole for whole in found}
