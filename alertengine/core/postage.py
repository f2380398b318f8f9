"""What messages cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping

COSTS: Mapping[str, float] = {"whatsapp_twilio": 0.02, "whatsapp_sent": 0.02, "voice_twilio": 0.05}
"""What a message costs by each kind of channel where nothing else is given: rough, and in dollars. Others are free."""

MILLION = 1_000_000
"""Sums are kept in millionths, so that cents add up."""


def millionths(cost: float) -> int:
    return round(cost * MILLION)


def cost_of(name: str, kind: str, given: Mapping[str, float]) -> float:
    """What a message by this channel costs: as the operator says, else as its kind usually does."""
    return given.get(name, COSTS.get(kind, 0.0))
