"""Every exception of the product. A class's docstring is its default message."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar


class AlertEngineError(Exception):
    """Something went wrong in AlertEngine."""

    code: ClassVar[str] = "ERROR"
    status: ClassVar[int] = 500
    """The HTTP status that carries this error."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigError(AlertEngineError):
    """The configuration is not usable."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class DataDirectoryHeld(AlertEngineError):
    """Another daemon holds this data directory. Stop it first, or choose another --data-dir."""


class DaemonUnreachable(AlertEngineError):
    """A daemon holds the data directory but does not answer on its socket. Is it stopped or hung?"""


class StoreUnavailable(AlertEngineError):
    """The store cannot be written, so nothing may run: it could not be recorded. Check disk space."""

    code = "STORE_UNAVAILABLE"
    status = 503


class StoreDamaged(StoreUnavailable):
    """The store does not verify. Nothing may run until an operator restores it: alertengine restore FILE."""

    status = 503


class SchemaTooNew(AlertEngineError):
    """A newer AlertEngine wrote this store. Upgrade this one; the file was not touched."""


class Stale(AlertEngineError):
    """The incident changed since it was read. Read it again and decide again."""

    code = "STALE"
    status = 409


class SlotTaken(AlertEngineError):
    """This service already has an open incident."""

    code = "INCIDENT_OPEN"
    status = 409


class NotFound(AlertEngineError):
    """There is no such thing."""

    code = "NOT_FOUND"
    status = 404


class Invalid(AlertEngineError):
    """The request is not valid."""

    code = "INVALID"
    status = 422

    def __init__(self, message: str | None = None, *, said: object = None) -> None:
        """`said`: the same sentence for every language (`core.language.Said`)."""
        self.said = said
        super().__init__(message)


class Refused(AlertEngineError):
    """The decision was refused."""

    code = "REFUSED"
    status = 409

    def __init__(self, message: str | None = None, *, said: object = None, **details: Any) -> None:
        """`said`: the same sentence for every language (`core.said.Said`)."""
        self.said = said
        self.details = details
        super().__init__(message)


class TokenInvalid(Refused):
    """This link is not valid. Use the newest message, or ask for a new link."""

    code = "TOKEN_INVALID"
    status = 401


class TokenExpired(Refused):
    """This link is over. A fresh one can be sent to you."""

    code = "TOKEN_EXPIRED"
    status = 401


class TokenUsed(Refused):
    """This link was already used. Nothing runs twice."""

    code = "TOKEN_USED"


class NotAwaitingApproval(Refused):
    """This incident is not waiting for a decision."""

    code = "NOT_AWAITING_APPROVAL"


class NotAnApprover(Refused):
    """Only a verified approver of this service may decide that. This was recorded."""

    code = "NOT_AN_APPROVER"
    status = 403


class SignInNeeded(Refused):
    """Several people read where this link was sent. Sign in on its page to decide."""

    code = "SIGN_IN_NEEDED"
    status = 403


class SignInFailed(Refused):
    """Signing in did not work. Begin again."""

    code = "SIGN_IN_FAILED"
    status = 401


class SelfApproval(Refused):
    """Who asked for a test does not approve it here. Another person is needed."""

    code = "SELF_APPROVAL"
    status = 403


class PinNeeded(Refused):
    """This action asks for your PIN. Open the link's page and give it there."""

    code = "PIN_NEEDED"
    status = 403


class PinUnset(Refused):
    """This action asks for a PIN, and you have none. The operator sets it: alertengine people pin NAME"""

    code = "PIN_UNSET"
    status = 403


class PinWrong(Refused):
    """This is not your PIN. Nothing was run."""

    code = "PIN_WRONG"
    status = 403


class PinLocked(Refused):
    """Too many wrong PINs. Nothing was run; another approver can decide, or try again in an hour."""

    code = "PIN_LOCKED"
    status = 429


class GlassNotBroken(Refused):
    """Only an admin may authorize this alone, and only where the operator allows it."""

    code = "BREAK_GLASS_REFUSED"
    status = 403


class ActionChanged(Refused):
    """The action changed since this link was made. Look at the new preview before you decide."""

    code = "ACTION_CHANGED"


class TenantSuspended(Refused):
    """Watching this service is suspended by its operator, so nothing can be decided now. Nothing was run."""

    code = "TENANT_SUSPENDED"


class RateLimited(Refused):
    """Too many requests. Wait a moment."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(
        self, message: str | None = None, *, said: object = None, retry_after_s: float = 30.0
    ) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, said=said, retry_after_s=round(retry_after_s, 1))


class Unsigned(AlertEngineError):
    """This call is not signed by the provider that it claims to be from. Check the channel's secret."""

    code = "UNSIGNED"
    status = 401


class CodeInvalid(AlertEngineError):
    """This code is not valid. Check it, or ask for a new one: alertengine verify CONTACT"""

    code = "CODE_INVALID"
    status = 400


class PlanFeatureUnavailable(Refused):
    """The plan does not include this."""

    code = "PLAN_FEATURE_UNAVAILABLE"
    status = 403


class Fault(StrEnum):
    """What kind of failure a delivery met. It decides what is next."""

    RETRY = "retry"
    UNKNOWN = "unknown"
    """No answer after the request was sent: it may have arrived. Tried again: twice is better than not at all."""
    TEMPLATE = "template"
    """Not in this form: the channel takes another (a template, plain text) for the next try, which is at once."""
    RECIPIENT = "recipient"
    """This person cannot be reached this way: another try cannot help."""
    CONFIG = "config"
    """The operator must mend something first."""
    EXHAUSTED = "exhausted"
    """A limit that lasts for hours: too long for an alert."""


class DeliveryError(AlertEngineError):
    """A message could not be delivered.

    `permanent`: another try cannot help. `retry_after_s`: the provider asked to wait that long.
    """

    def __init__(
        self,
        reason: str,
        *,
        fault: Fault | None = None,
        permanent: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        self.fault = fault or (Fault.CONFIG if permanent else Fault.RETRY)
        self.permanent = self.fault in (Fault.RECIPIENT, Fault.CONFIG, Fault.EXHAUSTED)
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class HttpError(AlertEngineError):
    """An outside service could not be asked.

    `kind`: refused, timeout, dns, tls, blocked, too_large or broken. `sent`: bytes may have reached it.
    """

    def __init__(self, kind: str, detail: str, *, sent: bool) -> None:
        self.kind = kind
        self.sent = sent
        super().__init__(detail)


class ModelFailed(AlertEngineError):
    """The model gave no answer that can be used; `said` tells why in every language (`core.said.Said`).

    `charged`: tokens that were counted all the same; `unsure`: the provider may have worked on it, and nobody knows
    what it counts. `at_fault`: the provider itself failed, and is better left alone for a while.
    """

    def __init__(
        self, said: Any, *, charged: Any = None, unsure: bool = False, at_fault: bool = False
    ) -> None:
        self.said = said
        self.charged = charged
        self.unsure = unsure
        self.at_fault = at_fault
        super().__init__(said.english)
