"""Why a service that answers shows no evidence, and what a finding says then. Pure."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from alertengine.core.diagnosis.model import UNCLEAR, Finding
from alertengine.core.said import Said
from alertengine.core.snapshot import Snapshot


class Blind(StrEnum):
    UNGIVEN = "no_secret"
    """Nobody gave us the secret of its SDK."""
    REJECTED = "secret_rejected"
    """The one that we have is not the SDK's, or the app's clock is far off."""


def blind(snapshot: Snapshot, has_secret: bool) -> Blind | None:
    """None where there is evidence, or where it is not known why there is none."""
    report = snapshot.report
    if report is None or snapshot.error is not None or not snapshot.judged or "evidence" in report:
        return None
    if not has_secret:
        return Blind.UNGIVEN
    return Blind.REJECTED if snapshot.asked else None


def unseeing(finding: Finding, why: Blind | None) -> Finding:
    """The finding with the reason why nothing was seen; in place of guesses, where the cause is not clear."""
    if why is None:
        return finding
    if finding.cause != UNCLEAR:
        return replace(finding, blind=why)
    summary, check = Said(f"summary.{why}"), Said(f"check.{why}")
    return replace(
        finding,
        blind=why,
        summary=summary.english,
        evidence=(),
        check_first=check.english,
        said={"summary": summary, "check_first": check},
    )
