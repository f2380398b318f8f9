"""A model's answer, held against what it was asked: what of it may be read, and by which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from alertengine.core.diagnosis import advice
from alertengine.core.diagnosis.claims import CLAIM_LIMIT, Claim, Dropped, sift
from alertengine.core.diagnosis.harmless import harmless
from alertengine.core.diagnosis.model import (
    CAUSES,
    EVIDENCE_LIMIT,
    SUMMARY_LIMIT,
    UNCLEAR,
    EvidenceItem,
    Finding,
)
from alertengine.core.diagnosis.question import Question
from alertengine.core.diagnosis.reading import clamp, number
from alertengine.core.diagnosis.redaction import shorten
from alertengine.core.diagnosis.weighing import MOST
from alertengine.core.said import Said

CLAIMS_READ: Final = 40
CITES_READ: Final = 12


class Unreadable(ValueError):
    """An answer that cannot be used, and why: the end of a key, `model.why.…`."""

    def __init__(self, key: str) -> None:
        self.said = Said(f"model.why.{key}")
        super().__init__(self.said.english)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a model thinks, fit to be read. `action` is one of those offered, or None."""

    finding: Finding
    claims: tuple[Claim, ...]
    dropped: tuple[Dropped, ...]
    action: str | None

    @property
    def cites(self) -> int:
        return len({ref for claim in self.claims for ref in claim.cites})


def read(answer: object, question: Question) -> Opinion:
    """Raises `Unreadable` where the answer has another shape, or where nothing of it stands on a measurement."""
    if not isinstance(answer, Mapping):
        raise Unreadable("other_form")
    cause, sure = _cause(answer.get("cause")), _confidence(answer.get("confidence"))
    said = [_claim(answer.get("explanation")), *map(_claim, _list(answer.get("claims"))[:CLAIMS_READ])]
    kept, dropped = sift(said, question.known)
    if not kept and cause != UNCLEAR:
        raise Unreadable("unfounded")
    route, dependency = (_named(answer.get(key), question) for key in ("route", "dependency"))
    check, ours = _check(answer.get("check_first"), question), advice.check_first(cause, route, dependency)
    finding = Finding(
        cause=cause,
        confidence=min(MOST, round(sure, 2)),
        summary=shorten(
            kept[0].text if kept else "It sees nothing that tells the causes apart.", SUMMARY_LIMIT
        ),
        evidence=_cited(kept, question.known),
        alternatives=_alternatives(answer.get("alternatives"), cause),
        route=route,
        dependency=dependency,
        check_first=check or ours.english,
        said={} if check else {"check_first": ours},
    )
    return Opinion(finding=finding, claims=kept, dropped=dropped, action=_action(answer, question))


def _cause(value: object) -> str:
    if not isinstance(value, str) or value not in CAUSES:
        raise Unreadable("no_cause")
    return value


def _confidence(value: object) -> float:
    found = number(value)
    if found is None or not 0 <= found <= 1:
        raise Unreadable("no_confidence")
    return found


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise Unreadable("other_form")
    return value


def _claim(value: object) -> Claim:
    if not isinstance(value, Mapping) or not isinstance(value.get("text"), str):
        raise Unreadable("other_form")
    cites = _list(value.get("cites"))[:CITES_READ]
    return Claim(text=value["text"], cites=tuple(c for c in cites if isinstance(c, str)))


def _named(value: object, question: Question) -> str | None:
    """Only what was measured has a name: a model's own would be shown as if it were known."""
    return value if isinstance(value, str) and value in question.names else None


def _cited(claims: Sequence[Claim], known: Sequence[EvidenceItem]) -> tuple[EvidenceItem, ...]:
    texts = {item.id: item for item in known}
    refs = dict.fromkeys(ref for claim in claims for ref in claim.cites)
    return tuple(texts[ref] for ref in refs if ref in texts)[:EVIDENCE_LIMIT]


def _alternatives(value: object, cause: str) -> tuple[tuple[str, float], ...]:
    rows = [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
    found = {
        str(row["cause"]): round(clamp(number(row.get("confidence")) or 0.0), 2)
        for row in rows[:4]
        if row.get("cause") in CAUSES and row["cause"] not in (cause, UNCLEAR)
    }
    return tuple(found.items())[:2]


def _check(value: object, question: Question) -> str:
    """Advice cites nothing, so any number in it must have been measured somewhere."""
    claim = Claim(text=harmless(value, CLAIM_LIMIT), cites=tuple(item.id for item in question.known))
    kept, _ = sift([claim], question.known)
    return kept[0].text if kept else ""


def _action(answer: Mapping[Any, Any], question: Question) -> str | None:
    wanted = answer.get("recommended_action")
    return wanted if isinstance(wanted, str) and wanted in question.actions else None
