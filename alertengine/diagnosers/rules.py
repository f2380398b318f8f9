"""Diagnosis by rules: at once, without a key, without the network."""

from __future__ import annotations

from alertengine.core.diagnosis.model import Finding
from alertengine.core.diagnosis.rules import diagnose
from alertengine.core.snapshot import Snapshot


class RulesDiagnoser:
    name = "rules"

    async def diagnose(self, snapshot: Snapshot) -> Finding:
        return diagnose(snapshot.report, snapshot.error)
