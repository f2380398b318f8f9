"""Diagnosis by rules: at once, without a key, without the network."""

from __future__ import annotations

import asyncio
from typing import Literal

from alertengine.core.diagnosis.model import Finding
from alertengine.core.diagnosis.rules import diagnose
from alertengine.core.snapshot import Snapshot
from alertengine.settings.diagnosis import DiagnosisSection


class Config(DiagnosisSection):
    """Fixed rules in this process, on the service's own evidence. Nothing leaves the machine."""

    provider: Literal["rules"] = "rules"


EXAMPLE = """
[diagnosis]
provider = "rules"
"""


class RulesDiagnoser:
    name = "rules"

    async def diagnose(self, snapshot: Snapshot) -> Finding:
        # A report as long as may be takes half a second: not of everybody's.
        return await asyncio.to_thread(diagnose, snapshot.report, snapshot.error)
