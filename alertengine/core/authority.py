"""Who may decide. One function for the page, the chats, the terminal and programs. Pure.

What the operator demands (`Rules`), who asks and what they showed (`Asker`), and the people of the tenant (`Crowd`)
come in; the event of the decision comes out, or the refusal that says why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alertengine.core.approval import check_decidable, refusal, reject
from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.model import ActionSpec, Actor, Contact, Risk, Role
from alertengine.core.people import Crowd, may_decide
from alertengine.errors import (
    GlassNotBroken,
    NotAnApprover,
    PinNeeded,
    PinUnset,
    SelfApproval,
    SignInNeeded,
)

REASON_LIMIT = 500


class PinFor(StrEnum):
    """Which actions ask for a PIN."""

    NEVER = "never"
    HIGH = "high"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator demands of decisions."""

    pin: PinFor = PinFor.NEVER
    self_approval: bool = True
    """Who asked for a test may approve it."""
    break_glass: bool = False
    """An admin may authorize alone what needs several, with a reason that everybody is told."""

    def pin_needed(self, action: ActionSpec) -> bool:
        return self.pin is PinFor.ALWAYS or (self.pin is PinFor.HIGH and action.risk is Risk.HIGH)


class PinShown(StrEnum):
    """What was shown of a PIN. A wrong one never comes this far."""

    UNSET = "unset"
    """The person has none."""
    MISSING = "missing"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who decides, by what right, and what they showed for it. `reason` is given to break the glass."""

    actor: Actor
    role: Role
    proven: bool = True
    """It is known which person it is: the way they came belongs to them alone, or they signed in."""
    pin: PinShown = PinShown.MISSING
    reason: str | None = None

    @property
    def operator(self) -> bool:
        """At the terminal of the machine, whoever has the account can do more than any PIN keeps from them."""
        return self.actor.kind == "operator"


def operator(actor: Actor, reason: str | None = None) -> Asker:
    return Asker(actor=actor, role=Role.ADMIN, reason=reason)


def holder(contact: Contact, *, proven: bool, pin: PinShown, reason: str | None = None) -> Asker:
    """Whoever a link or an address belongs to. Raises `NotAnApprover` for a viewer, and for whom is not verified."""
    if not may_decide(contact):
        raise NotAnApprover
    return Asker(actor=contact.actor, role=contact.role, proven=proven, pin=pin, reason=reason)


def decide_for(
    incident: Incident, asker: Asker, crowd: Crowd, rules: Rules, execution_id: str, how: Mapping[str, Any]
) -> NewEvent:
    """The event by which `asker` approves.

    The last approval that is needed is the authorization, and there is only one.
    """
    action = check_decidable(incident)
    check(incident, action, asker, crowd, rules)
    given = crowd.counted(incident.approvals)
    again = any(crowd.same(one, asker.actor) for one in given)
    if again and asker.reason is None:
        raise refusal("refused.approved")
    count = len(given) + (not again)
    data: dict[str, Any] = {
        "round": incident.round,
        "approvals": {"required": action.approvals, "given": count},
        **how,
    }
    if asker.reason is not None and count < action.approvals:
        data["break_glass"] = _reason(asker, rules)
    elif count < action.approvals:
        return NewEvent(type=EventType.RECOVERY_APPROVED, actor=asker.actor, data=data)
    data |= {"execution_id": execution_id, "action": action.to_json(), "digest": action.digest()}
    return NewEvent(type=EventType.RECOVERY_AUTHORIZED, actor=asker.actor, data=data)


def decide_against(incident: Incident, asker: Asker, how: Mapping[str, Any]) -> NewEvent:
    """One is enough, whatever was approved before, and no PIN stands in its way: it keeps things as they are."""
    if not asker.proven:
        raise SignInNeeded
    return reject(incident, asker.actor, how)


def check(incident: Incident, action: ActionSpec, asker: Asker, crowd: Crowd, rules: Rules) -> None:
    """Raises the first `Refused` that speaks against this person's approval, however many others have approved."""
    if not asker.proven:
        raise SignInNeeded
    if not rules.self_approval and incident.is_test and _asked_for_it(incident, asker.actor, crowd):
        raise SelfApproval
    if asker.operator or not rules.pin_needed(action):
        return
    if asker.pin is PinShown.UNSET:
        raise PinUnset
    if asker.pin is PinShown.MISSING:
        raise PinNeeded


def may_break_glass(action: ActionSpec, role: Role, rules: Rules) -> bool:
    return rules.break_glass and role is Role.ADMIN and action.approvals > 1


def may_go_on_alone(incident: Incident, contact: Contact, crowd: Crowd, rules: Rules) -> bool:
    """Who approved, waits for others in vain and may break the glass."""
    action = incident.action
    if action is None or incident.stage not in DECIDABLE or not may_break_glass(action, contact.role, rules):
        return False
    return any(crowd.same(one, contact.actor) for one in incident.approvals)


def _reason(asker: Asker, rules: Rules) -> str:
    if not rules.break_glass or asker.role is not Role.ADMIN:
        raise GlassNotBroken
    reason = (asker.reason or "").strip()
    if len(reason) < 3:
        raise refusal("refused.reason", GlassNotBroken)
    return reason[:REASON_LIMIT]


def _asked_for_it(incident: Incident, actor: Actor, crowd: Crowd) -> bool:
    """The test was asked for by this very person, or by somebody who cannot be told from them."""
    raw = incident.detected.get("requested_by")
    if not raw:
        return False
    return crowd.same(Actor(**raw), actor)
