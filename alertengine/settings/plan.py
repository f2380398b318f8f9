"""Settings of a plan: what its tenants may have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from alertengine.core.plans import PLANS, Feature, Plan

Number = Annotated[int, Field(ge=1)] | Literal["unlimited"]


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
