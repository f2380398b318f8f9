"""Whether the facts of an incident have changed so much that its diagnosis is made again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alertengine.core.diagnosis.model import SERVICE_DOWN, UNCLEAR, Finding

SURE: Final = 0.6
LOOKS: Final = 2
"""The first diagnosis, and one more."""


def materially(before: Mapping[str, Any], now: Finding) -> bool:
    """`before`: the rules' part of the diagnosis that people have. True where what was not clear is clear now, or where
    another cause shows that was not even thought possible."""
    if now.cause in (UNCLEAR, SERVICE_DOWN, before["cause"]) or now.confidence < SURE:
        return False
    return before["cause"] == UNCLEAR or before["cause"] not in dict(now.alternatives)
