"""The plans a tenant can be on."""

from __future__ import annotations

PLANS = ("hobby", "developer", "solo", "startup", "scale", "enterprise")
DEFAULT_PLAN = "enterprise"
