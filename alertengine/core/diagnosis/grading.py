"""How often a diagnoser is right about evidence whose cause is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alertengine.core.diagnosis.model import UNCLEAR, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One case: what was true, and what was named. `note` says why nothing could be."""

    case: str
    truth: str
    finding: Finding | None
    note: str = ""

    @property
    def named(self) -> str:
        return self.finding.cause if self.finding else UNCLEAR

    @property
    def right(self) -> bool:
        return self.named == self.truth

    @property
    def in_first_three(self) -> bool:
        return self.right or (self.finding is not None and self.truth in dict(self.finding.alternatives))

    @property
    def wrong(self) -> bool:
        return self.named not in (self.truth, UNCLEAR)

    def to_json(self) -> dict[str, Any]:
        sure = self.finding.confidence if self.finding else None
        told = {
            "case": self.case,
            "truth": self.truth,
            "named": self.named,
            "right": self.right,
            "confidence": sure,
        }
        return {**told, "in_first_three": self.in_first_three, "note": self.note}


def summary(grades: list[Grade]) -> dict[str, float]:
    """Shares of all cases."""
    count = max(1, len(grades))
    return {
        "cases": len(grades),
        "right": round(sum(g.right for g in grades) / count, 3),
        "in_first_three": round(sum(g.in_first_three for g in grades) / count, 3),
        "wrong": round(sum(g.wrong for g in grades) / count, 3),
    }
