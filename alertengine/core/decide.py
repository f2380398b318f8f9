"""What is due next for an incident. Pure; None means that a person or the clock is owed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from alertengine.core.detection import Watch
from alertengine.core.escalation import Turn, ladder, wait_s
from alertengine.core.events import Stage
from alertengine.core.incident import DECIDABLE, WAITING, Execution, Incident
from alertengine.core.model import parse_time
from alertengine.core.policy import START_WITHIN_S, Policy
from alertengine.core.said import Figure, Said, recorded
from alertengine.core.silence import Silence


class Do(StrEnum):
    DIAGNOSE = "diagnose"
    ASK = "ask"
    """Tell people and ask for their decision."""
    ESCALATE = "escalate"
    """Nobody answered: tell whom the next step names."""
    WAKE = "wake"
    """Somebody's quiet hours are over, and it is still broken."""
    REMIND = "remind"
    SILENCE = "silence"
    """A silence covers it: say so on the record, and call nobody."""
    EXPIRE = "expire"
    HEAL = "heal"
    """It recovered by itself: say so, nothing may run any more."""
    START = "start"
    MISS_START = "miss_start"
    """Authorized, but it could not start in time: it never ran and is not run late."""
    LOSE = "lose"
    """Started by a daemon that is gone: nobody can know whether it ran."""
    VERIFY = "verify"
    """Recovered after the action."""
    GIVE_UP_VERIFYING = "give_up_verifying"
    FINISH_TEST = "finish_test"
    RELEASE = "release"
    """The outcome stays unknown, but the service is healthy: make room for its next incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    do: Do
    reason: str
    turn: Turn | None = None
    """Whose turn it is, where it is passed on."""
    said: Said | None = None
    """The reason for every language, where people get to read it."""

    @property
    def record(self) -> dict[str, Any]:
        return recorded(reason=self.said) if self.said else {"reason": self.reason}


def _step(do: Do, key: str, turn: Turn | None = None, /, **values: object) -> Step:
    said = Said(f"reason.{key}", values)
    return Step(do=do, reason=said.english, turn=turn, said=said)


def next_step(
    incident: Incident,
    watch: Watch,
    policy: Policy,
    now: datetime,
    boot: str,
    silence: Silence | None = None,
) -> Step | None:
    """The one step that is due. `boot` names the daemon's life that asks, `silence` covers the incident now."""
    for rule in _RULES:
        step = rule(incident, watch, policy, now, boot)
        if step is None:
            continue
        if silence is None or not calls(step, incident):
            return step
        if incident.silence_id != silence.id:
            return _step(Do.SILENCE, "silenced", by=silence.by, reason=silence.reason)
    return None


def calls(step: Step, incident: Incident) -> bool:
    """It calls people who have not asked for it. How goes on what they decided is not kept from them."""
    if step.do is Do.ASK:
        return incident.execution is None
    return step.do in (Do.ESCALATE, Do.WAKE, Do.REMIND)


Rule = Callable[[Incident, Watch, Policy, datetime, str], Step | None]


def _healed(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage not in WAITING or incident.is_test or not watch.healthy_since(incident.opened_at):
        return None
    steady_s = policy.steady_s(incident.recurrence)
    if watch.well_since is None or now < watch.well_since + timedelta(seconds=steady_s):
        return None  # it comes and goes: over is what stays over
    return _step(Do.HEAL, "healed")


def _diagnose(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage is not Stage.DETECTED:
        return None
    return Step(do=Do.DIAGNOSE, reason="a new incident")


def _expire(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.unheard and not incident.is_test:
        return None  # who was never reached has not let the time pass
    if not _unanswered_for(incident, policy.deadline_s, now):
        return None
    return _step(Do.EXPIRE, "undecided", span=Figure(policy.deadline_s, "s"))


def _escalate(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    asked = incident.alert_queued_at
    if asked is None or incident.stage not in DECIDABLE or watch.is_well:
        return None
    steps = policy.steps_for(incident.tenant_id, incident.service)
    turns = ladder(steps)
    number = incident.turns + 1
    if incident.acknowledged_by is not None:
        return _lapsed(incident, policy, turns[min(number, len(turns) - 1)], now)
    if number >= len(turns):
        return None
    turn = turns[number]
    others = steps[turn.step].who != steps[turns[number - 1].step].who
    if others and incident.unheard:
        return _step(Do.ESCALATE, "lost", turn)
    # From the turn before on, so that those after a pause keep their distance from one another.
    since = max(asked, incident.escalated_at) if incident.escalated_at else asked
    planned = asked + timedelta(seconds=turn.after_s)
    if now < max(planned, since + timedelta(seconds=wait_s(turns, number))):
        return None
    return _step(Do.ESCALATE, "unanswered", turn, span=Figure(round((now - asked).total_seconds()), "s"))


def _lapsed(incident: Incident, policy: Policy, turn: Turn, now: datetime) -> Step | None:
    if not ack_is_over(incident, policy, now):
        return None
    assert incident.acknowledged_by is not None
    who, span = incident.acknowledged_by.name, Figure(policy.ack_timeout_s, "s")
    return _step(Do.ESCALATE, "lapsed", turn, who=who, span=span)


def ack_is_over(incident: Incident, policy: Policy, now: datetime) -> bool:
    """Who took it on has had their time."""
    taken = incident.acknowledged_at or incident.last_at
    return now >= taken + timedelta(seconds=policy.ack_timeout_s)


def _wake(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    waits = incident.stage in DECIDABLE or incident.stage is Stage.EXPIRED
    if not waits or incident.acknowledged_by is not None or watch.is_well:
        return None
    if not any(parse_time(until) <= now for until in incident.held.values()):
        return None
    return Step(do=Do.WAKE, reason="quiet hours are over")


def _remind(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    told = incident.told_at
    waits = incident.stage in WAITING or (incident.stage is Stage.UNKNOWN and not incident.healthy)
    broken = watch.last is not None and not watch.last.healthy
    if not waits or told is None or not broken or incident.is_test:
        return None
    unheard = incident.unheard and incident.stage in DECIDABLE
    wait = policy.retry_s(incident.retries) if unheard else policy.reminder_s(incident.reminders)
    if wait is None or now < told + timedelta(seconds=wait):
        return None
    return Step(do=Do.REMIND, reason="no message could be delivered" if unheard else "still broken")


def _ask(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage is not Stage.DIAGNOSED or incident.alert_queued_at or _quiet(incident, now):
        return None
    return Step(do=Do.ASK, reason="a decision is needed")


def _quiet(incident: Incident, now: datetime) -> bool:
    """Quotas silence for a day at most, and a clock that was set back does not make it longer."""
    until = incident.quiet_until
    return until is not None and incident.over_quota and now < until <= now + timedelta(days=1)


def _start(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage is not Stage.AUTHORIZED or incident.execution is None:
        return None
    if incident.execution.boot not in (None, boot):
        return _step(Do.MISS_START, "stopped_before")
    if now > incident.execution.authorized_at + timedelta(seconds=START_WITHIN_S):
        return _step(Do.MISS_START, "too_late", span=Figure(START_WITHIN_S, "s"))
    return Step(do=Do.START, reason="authorized")


def _lose(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage is not Stage.RECOVERING or incident.execution is None:
        return None
    if incident.execution.boot == boot:
        return None
    return Step(do=Do.LOSE, reason="the daemon stopped while the action was running")


def _verify(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage is not Stage.VERIFYING or incident.execution is None:
        return None
    if incident.is_test:
        return _step(Do.FINISH_TEST, "test")
    return _verified(incident.execution, watch, policy, now)


def _verified(execution: Execution, watch: Watch, policy: Policy, now: datetime) -> Step | None:
    ended = execution.ended_at or execution.authorized_at
    if watch.healthy_since(ended):
        return _step(Do.VERIFY, "verified")
    if now > ended + timedelta(seconds=policy.verify_window_s):
        return _step(Do.GIVE_UP_VERIFYING, "still_failing", span=Figure(policy.verify_window_s, "s"))
    return None


def _test_over(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    """No health will ever end a test: once it was looked at long enough, it is over."""
    if not incident.is_test or incident.stage not in (Stage.REJECTED, Stage.EXPIRED, Stage.UNKNOWN):
        return None
    if now < incident.last_at + timedelta(seconds=policy.approval_timeout_s):
        return None
    return _step(Do.FINISH_TEST, "test_over")


def _release(incident: Incident, watch: Watch, policy: Policy, now: datetime, boot: str) -> Step | None:
    if incident.stage is not Stage.UNKNOWN or incident.healthy or incident.is_test:
        return None
    ended = incident.execution.ended_at if incident.execution else None
    if not watch.healthy_since(ended or incident.opened_at):
        return None
    return _step(Do.RELEASE, "released")


def _unanswered_for(incident: Incident, seconds: float, now: datetime) -> bool:
    asked = incident.alert_queued_at
    if asked is None or incident.stage not in DECIDABLE:
        return False
    return now >= asked + timedelta(seconds=seconds)


_RULES: tuple[Rule, ...] = (
    _healed,
    _diagnose,
    _expire,
    _escalate,
    _ask,
    _wake,
    _remind,
    _start,
    _lose,
    _verify,
    _test_over,
    _release,
)
