"""Settings of a plan: what its tenants may have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from alertengine.core.plans import PLANS, Feature, Plan


def _counted(given: Any) -> Any:
    """One problem in one sentence, where two types would each tell theirs."""
    count = int(given) if isinstance(given, str) and given.isdecimal() else given
    if count != "unlimited" and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise ValueError('should be a whole number from 1 on, or "unlimited"')
    return count


Number = Annotated[Annotated[int, Field(ge=1)] | Literal["unlimited"], BeforeValidator(_counted)]


class PlanSection(BaseModel):
    """What is given changes the plan of this name; in a plan of another name, what is not given is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    services: Number | None = None
    incidents: Number | None = None
    channels: list[str] | None = None
    features: list[Feature] | None = None

    def plan(self, name: str) -> Plan:
        base = PLANS.get(name, Plan(name=name))
        return Plan(
            name=name,
            services=_number(self.services, base.services),
            incidents=_number(self.incidents, base.incidents),
            channels=base.channels if self.channels is None else frozenset(self.channels),
            features=base.features if self.features is None else frozenset(self.features),
        )


def _number(given: int | str | None, usual: int | None) -> int | None:
    if given is None:
        return usual
    return given if isinstance(given, int) else None
