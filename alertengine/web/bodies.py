"""What the API takes: bodies with known fields alone, each within bounds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alertengine.core.given import Given
from alertengine.core.model import Role
from alertengine.core.plans import DEFAULT_PLAN
from alertengine.pipeline.onboard import Application, NewContact
from alertengine.settings.service import Route, ValueSection

Short = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]
RoleName = Annotated[Role, Field(strict=False)]
Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""Of a language."""
_MAILBOX = r"^[^@\s]+@[^@\s]+$"


def _mailbox(given: str) -> str:
    if not re.fullmatch(_MAILBOX, given):
        raise ValueError("give a mailbox, e.g. tariro@example.com")
    return given


Mailbox = Annotated[
    str, Field(max_length=200, json_schema_extra={"pattern": _MAILBOX}), AfterValidator(_mailbox)
]


class Strict(BaseModel):
    """Each field of its own type: false is no number, and 7 no name."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ContactBody(Strict):
    name: Short
    channel: Short
    address: Annotated[str, Field(max_length=2000)] = ""
    role: RoleName = Role.APPROVER
    language: Code | None = None
    """The code of the language they are told in; else the daemon's."""
    email: Mailbox | None = None
    """The mailbox they sign in with. By the operator alone, as `shared`."""
    shared: bool = False
    """Several people read at this address, so that a decision from there needs a sign-in."""

    def person(self) -> NewContact:
        return NewContact(**self.model_dump())


class AppAction(Strict):
    """A recovery of the SDK's, by the name the app gave it; or a configured one, by name alone."""

    name: Annotated[str, Field(pattern=r"^[^/?#\s]{1,64}$")]
    kind: Literal["app"] | None = None
    description: Annotated[str, Field(max_length=200)] = ""
    risk: Literal["low", "high"] = "low"


class Thresholds(Strict):
    """A service's own instead of the policy's, where the plan has them."""

    min_score_to_alert: Annotated[float, Field(ge=0, le=100)] | None = None
    confirmations: Annotated[int, Field(ge=1, le=100)] | None = None

    def given(self) -> dict[str, float]:
        return self.model_dump(exclude_none=True)


class ServiceBody(Strict):
    service_name: Short
    health_url: Url
    recovery_webhook_url: Url | None = None
    service_secret: Annotated[str, Field(min_length=8, max_length=500)] | None = None
    actions: Annotated[list[str | AppAction], Field(max_length=100)] | None = None
    thresholds: Thresholds | None = None
    value: Annotated[dict[Route, ValueSection], Field(max_length=100)] = {}
    """What one request is worth, by route: what its failure is called, and the money in it."""

    def application(self, given_by: Given = Given.OPERATOR) -> Application:
        actions = None if self.actions is None else [_given(a) for a in self.actions]
        return Application(
            service_name=self.service_name,
            health_url=self.health_url,
            service_secret=self.service_secret,
            actions=actions,
            recovery_webhook_url=self.recovery_webhook_url,
            thresholds=self.thresholds.given() if self.thresholds else {},
            given_by=given_by,
            value={route: value.worth() for route, value in self.value.items()},
        )


class OnboardBody(ServiceBody):
    plan: str = DEFAULT_PLAN
    notification_channel: str | None = None
    webhook_url: Url | None = None
    whatsapp_numbers: Annotated[list[Short], Field(max_length=100)] = []
    telegram_chat_id: str | int | None = None
    telegram_bot_token: Annotated[str, Field(min_length=3, max_length=200)] | None = None
    slack_webhook_url: Url | None = None
    contacts: Annotated[list[ContactBody], Field(max_length=100)] = []

    def application(self, given_by: Given = Given.OPERATOR) -> Application:
        return replace(
            super().application(given_by),
            plan=self.plan,
            notification_channel=self.notification_channel,
            contacts=self.people(),
        )

    def people(self) -> list[NewContact]:
        """Those that are listed, then one for each address that has a field of its own."""
        found = [contact.person() for contact in self.contacts]
        found += [NewContact(name=n, channel="whatsapp", address=n) for n in self.whatsapp_numbers]
        if self.telegram_chat_id is not None:
            chat, token = str(self.telegram_chat_id), self.telegram_bot_token
            found.append(NewContact(name="telegram", channel="telegram", address=chat, secret=token))
        if self.slack_webhook_url:
            found.append(NewContact(name="slack", channel="slack", secret=self.slack_webhook_url))
        if self.webhook_url:
            found.append(NewContact(name="webhook", channel="webhook", address=self.webhook_url))
        return found


def _given(action: str | AppAction) -> str | dict[str, Any]:
    return action if isinstance(action, str) else action.model_dump(exclude_unset=True)


class CloseBody(Strict):
    note: Annotated[str, Field(min_length=1, max_length=1000)]
