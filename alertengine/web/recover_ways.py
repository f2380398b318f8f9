"""What the holder of a link must show beside it, and who else may decide: for the page and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alertengine.core.authority import may_break_glass, may_go_on_alone
from alertengine.core.view import DECIDING, View
from alertengine.pipeline.approve import Opened
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.signin import Session
from alertengine.store import people


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """`pin`: None where none is asked for, else "ask" or "unset". `sign_in`: before anything can be decided."""

    sign_in: bool = False
    can_sign_in: bool = False
    signed_in: str | None = None
    pin: str | None = None
    break_glass: bool = False
    fresh: bool = False
    """This link was used to approve; with another one its holder may go on alone."""
    approvers: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"sign_in": self.sign_in, "pin": self.pin, "break_glass": self.break_glass}


async def ways(engine: Engine, opened: Opened, view: View, session: Session | None) -> Ways:
    action, contact = opened.incident.action, opened.contact
    alone = view is View.APPROVED and may_go_on_alone(opened.incident, contact, opened.crowd, engine.rules)
    if action is None or not (alone or view in DECIDING):
        return Ways()
    if alone and opened.used_at is not None:
        return Ways(fresh=True)
    known = [p for p in session.people if p.tenant_id == contact.tenant_id] if session else []
    sign_in = contact.shared and not known
    person = known[0] if contact.shared and known else None
    if person is None and not sign_in:
        person = await engine.store.fetch(people.person(contact.tenant_id, contact.name))
    pin = None
    if engine.rules.pin_needed(action) and not sign_in:
        pin = "ask" if person is not None and person.pin else "unset"
    return Ways(
        sign_in=sign_in,
        can_sign_in=engine.identities is not None,
        signed_in=session.email if session and contact.shared and known else None,
        pin=pin,
        break_glass=may_break_glass(action, contact.role, engine.rules) and not sign_in,
        approvers=opened.crowd.approvers,
    )
