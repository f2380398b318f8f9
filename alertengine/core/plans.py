"""The plans a tenant can be on."""

from __future__ import annotations

PLANS = ("hobby", "developer", "solo", "startup", "scale", "enterprise")
DEFAULT_PLAN = "enterprise"

DEAD_LETTERS = ("startup", "scale", "enterprise")
"""Plans whose tenants see their dead letters; the smallest first."""
