"""The plans a tenant can be on: what each includes, and how to say what it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from alertengine.errors import PlanFeatureUnavailable

DEFAULT_PLAN = "enterprise"
PERIOD_DAYS = 30


class Feature(StrEnum):
    MODEL_DIAGNOSIS = "model_diagnosis"
    TEAM_APPROVALS = "team_approvals"
    DEAD_LETTERS = "dead_letters"
    CUSTOM_THRESHOLDS = "custom_thresholds"
    COMPLIANCE_EXPORT = "compliance_export"
    SSO = "sso"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`services` and `incidents` (in 30 days): None is no limit. `channels`: kinds, None for every one."""

    name: str
    services: int | None = None
    incidents: int | None = None
    channels: frozenset[str] | None = None
    features: frozenset[Feature] = frozenset(Feature)

    def reaches(self, kind: str) -> bool:
        """Whether people may be told by channels of this kind. The operator's own terminal is always there."""
        return self.channels is None or kind == "console" or kind in self.channels

    def takes_service(self, beside: int) -> bool:
        return self.services is None or beside < self.services


_SMALL = frozenset({"telegram", "webhook"})
_WHATSAPP = _SMALL | {"whatsapp_twilio", "whatsapp_sent"}
_MODEL = frozenset({Feature.MODEL_DIAGNOSIS})
_TEAM = _MODEL | {Feature.TEAM_APPROVALS, Feature.DEAD_LETTERS}
_PLANS = (
    Plan(name="hobby", services=1, incidents=5, channels=_SMALL, features=frozenset()),
    Plan(name="developer", services=1, incidents=10, channels=_WHATSAPP, features=_MODEL),
    Plan(name="solo", services=3, incidents=50, channels=_WHATSAPP, features=_MODEL),
    Plan(name="startup", services=10, incidents=200, channels=_WHATSAPP | {"slack"}, features=_TEAM),
    Plan(name="scale", features=frozenset(Feature) - {Feature.SSO}),
    Plan(name="enterprise"),
)
PLANS: Mapping[str, Plan] = {plan.name: plan for plan in _PLANS}
"""As they are unless the operator changes them, the smallest first."""


def plan_of(plans: Mapping[str, Plan], name: str) -> Plan:
    """The plan of a tenant; one that was taken out of the configuration limits nothing any more."""
    return plans.get(name) or plans[DEFAULT_PLAN]


def require(plans: Mapping[str, Plan], name: str, what: str, has: Callable[[Plan], bool]) -> None:
    """Raises `PlanFeatureUnavailable`, with the smallest plan that has it."""
    if has(plan_of(plans, name)):
        return
    better = next((plan.name for plan in plans.values() if has(plan)), None)
    offer = f" The plan {better} does." if better else ""
    raise PlanFeatureUnavailable(f"The plan {name} does not include {what}.{offer}", upgrade_to=better)


def require_feature(plans: Mapping[str, Plan], name: str, feature: Feature) -> None:
    require(plans, name, feature.replace("_", " "), lambda plan: feature in plan.features)
