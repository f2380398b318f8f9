"""The settings of [policy]: thresholds, and whom messages reach when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alertengine.core.escalation import EVERY_ADDRESS, EVERYONE, EscalationStep, Override, problems
from alertengine.core.policy import Policy
from alertengine.core.quiet import DAYS, QuietHours

Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]
Who = Annotated[str, Field(min_length=1, max_length=80)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepSection(_Section):
    """Unanswered for `after_s`, these people are told by these channels. The first step is the first message."""

    after_s: Annotated[float, Field(ge=0, le=30 * 86400)]
    who: Annotated[list[Who], Field(min_length=1)] = [EVERYONE]
    channels: list[Who] = []
    repeats: Annotated[int, Field(ge=0, le=100)] = 0
    repeat_every_s: Annotated[float, Field(ge=0, le=86400)] = 0.0

    def step(self) -> EscalationStep:
        return EscalationStep(
            after_s=self.after_s,
            who=tuple(self.who),
            channels=tuple(self.channels),
            repeats=self.repeats,
            repeat_every_s=self.repeat_every_s,
        )


class OverrideSection(_Section):
    """Steps of their own for the services whose names match `service` (with `*`), of one tenant if it is named."""

    service: Annotated[str, Field(min_length=1, max_length=80)] = "*"
    tenant: str | None = None
    steps: Annotated[list[StepSection], Field(min_length=1)]

    def override(self) -> Override:
        return Override(
            service=self.service, tenant=self.tenant, steps=tuple(step.step() for step in self.steps)
        )


class QuietSection(_Section):
    """Hours in which a person is told nothing but what is let through; the rest waits for their end."""

    who: Annotated[list[Who], Field(min_length=1)] = [EVERYONE]
    begins: time
    ends: time
    zone: str = "UTC"
    days: list[Day] = list(DAYS)  # type: ignore[arg-type]
    lets_through: Literal["critical", "nothing"] = "critical"
    tenant: str | None = None

    @field_validator("zone")
    @classmethod
    def a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError("is not a time zone; give one such as Africa/Harare") from error
        return value

    @field_validator("begins", "ends")
    @classmethod
    def on_the_wall(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("give the time on the wall; `zone` says where")
        return value

    def hours(self) -> QuietHours:
        return QuietHours(
            who=tuple(self.who),
            begins=self.begins,
            ends=self.ends,
            zone=ZoneInfo(self.zone),
            days=tuple(self.days),
            lets_through=self.lets_through,
            tenant=self.tenant,
        )


class PolicySection(_Section):
    min_score_to_alert: Annotated[float, Field(ge=0, le=100)] = 70.0
    confirmations: Annotated[int, Field(ge=1, le=100)] = 1
    approval_timeout_s: Annotated[float, Field(ge=1, le=86400)] = 300.0
    decision_timeout_s: Seconds | None = None
    escalate_after_s: Seconds = 180.0
    ack_timeout_s: Seconds = 600.0
    remind_after_s: Annotated[float, Field(ge=0, le=7 * 86400)] = 1800.0
    remind_at_most_s: Seconds = 14400.0
    spend_cap: Annotated[float, Field(ge=0, le=1e9)] | None = None
    group_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    cooldown_s: Annotated[float, Field(ge=0, le=86400)] = 300.0
    verify_window_s: Seconds = 120.0
    steps: list[StepSection] = []
    overrides: list[OverrideSection] = []
    quiet: list[QuietSection] = []

    @model_validator(mode="after")
    def steps_that_come(self) -> PolicySection:
        deadline_s = self.policy().deadline_s
        wrong = [
            f"{where}: {problem}"
            for where, steps in self.all_steps()
            for problem in problems([step.step() for step in steps], deadline_s)
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def all_steps(self) -> Iterator[tuple[str, list[StepSection]]]:
        """Each list of steps, by where it stands."""
        yield "steps", self.steps
        for number, override in enumerate(self.overrides):
            yield f"overrides.{number}.steps", override.steps

    def channels(self) -> dict[str, str]:
        """Names of channels that steps are sent by, by where they stand."""
        return {
            name: f"policy.{where}.{number}.channels"
            for where, steps in self.all_steps()
            for number, step in enumerate(steps)
            for name in step.channels
            if name != EVERY_ADDRESS
        }

    def policy(self) -> Policy:
        plain: dict[str, Any] = self.model_dump(exclude={"steps", "overrides", "quiet"})
        return Policy(
            **plain,
            steps=tuple(step.step() for step in self.steps),
            overrides=tuple(override.override() for override in self.overrides),
            quiet=tuple(quiet.hours() for quiet in self.quiet),
        )


def prices_of(channels: Any, problems: list[str]) -> dict[str, float]:
    """`cost` may stand in the table of a channel of any kind."""
    found = {}
    for name, row in channels.items() if isinstance(channels, dict) else ():
        if not isinstance(row, dict) or "cost" not in row:
            continue
        try:
            found[name] = float(row.pop("cost"))
        except (TypeError, ValueError):
            found[name] = -1.0
        if not 0 <= found[name] <= 1e6:
            problems.append(f"channels.{name}.cost: what a message costs, a number from 0 on")
    return found
