"""What the pipeline needs from the outside. Protocols only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from alertengine.core.diagnosis.model import Finding
from alertengine.core.diagnosis.question import Question
from alertengine.core.message import Message, MessageKind
from alertengine.core.model import ActionSpec, Contact, Service
from alertengine.core.said import Said
from alertengine.core.snapshot import Snapshot
from alertengine.core.spend import Prices, Usage
from alertengine.errors import Fault


class Clock(Protocol):
    def now(self) -> datetime:
        """The time that everything here goes by: aware, UTC, and never before what it was."""

    def wall(self) -> datetime:
        """What the machine's clock shows: for signatures that others judge by theirs."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took a message: its id there, where it gives one."""

    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a kind of channel can do."""

    idempotent: bool
    """The provider drops a second message with the same key."""
    chats: bool = False
    """It is listened to, for its provider need not call us."""
    invites: bool = False
    """A link opens a chat there, which proves whose it is."""
    amends: bool = False
    """What was sent can be amended."""
    receipts: bool = False
    """The provider tells when a message has arrived; where it does not, accepted is all that can be known."""
    per_s: float = 20.0
    burst: int = 50
    """How fast the provider takes messages, and how many at once."""
    calls: bool = False
    """It rings a telephone."""
    informs: bool = False
    """What goes there is a copy: nobody is asked there, and nobody counts as told."""
    kinds: frozenset[MessageKind] = frozenset(MessageKind)
    """What it is used for: nobody is telephoned to hear that all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an outside service said when it was asked something harmless. `remedy`: it works, but not wholly."""

    detail: str
    at: datetime | None = None
    """What its clock says."""
    remedy: str | None = None


@runtime_checkable
class Examining(Protocol):
    """Something that can be tried without consequences."""

    async def examine(self) -> Examination:
        """Ask for real; nobody is sent anything. Raises `DeliveryError` with what is wrong."""


class Channel(Examining, Protocol):
    """A configured way to reach people."""

    name: str
    kind: str
    traits: Traits

    def complaint(self, contact: Contact) -> str | None:
        """Why this contact can never be reached here; None where nothing speaks against it."""

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        """Hand `message` over, or raise `DeliveryError`. Tries once; the outbox repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that a provider made to us: `url` as it knows it, the body byte for byte."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a message that the provider took. `outcome`: delivered, read or failed (with the fault)."""

    message_id: str
    outcome: str
    fault: Fault | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """What a person did in a chat: the data of the button they pressed, or what they wrote.

    `sender` is who did it and `chat` where, as addresses of the channel; `message_id` the message they answered.
    """

    sender: str
    chat: str
    text: str
    message_id: str | None = None
    handle: str = ""
    """Lets the channel answer this very press."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the chat answers: `lines`, and under them buttons as (label, data)."""

    lines: tuple[str, ...]
    buttons: tuple[tuple[str, str], ...] = ()
    typed: str = ""
    """How to answer by writing, where that can be done."""

    @property
    def written(self) -> tuple[str, ...]:
        return (*self.lines, self.typed) if self.typed else self.lines


class Answering(Protocol):
    """A channel that people can answer in."""

    name: str
    kind: str

    async def answer(self, tap: Tap, reply: Reply) -> None:
        """Answer in the chat where it was done. Raises `DeliveryError`."""


@runtime_checkable
class Inviting(Protocol):
    """A channel with links that make a person write to us first."""

    name: str

    async def invitation(self, contact: Contact, word: str) -> str | None:
        """The link by which this person writes `word`; None where it would not do. Raises `DeliveryError`."""


class Chatting(Answering, Protocol):
    """A channel that is listened to."""

    async def listen(self) -> tuple[Tap, ...]:
        """Wait a while for what people do; empty where they did nothing. Raises `DeliveryError`."""


class Amending(Protocol):
    """A channel whose messages can be amended."""

    async def amend(self, message_id: str, message: Message) -> None:
        """Show in a message that was sent what came of it, without its buttons. Raises `DeliveryError`."""


class Posting(Protocol):
    """A channel that takes the ledger's checkpoints too, no more often than this."""

    name: str
    checkpoint_every_s: float

    async def post(self, body: Mapping[str, Any], idempotency_key: str) -> None:
        """Hand over what is no message to a person. Tries once. Raises `DeliveryError`."""


class Called(Protocol):
    """A channel whose provider calls us."""

    name: str
    kind: str
    provider: str
    """The name in /hooks/{provider}."""

    def read_call(self, call: Call) -> tuple[Report | Tap, ...] | None:
        """What a genuine call says; None where this channel's secret did not sign it."""


@runtime_checkable
class Holding(Protocol):
    """A channel whose provider waits for what we answer to its call."""

    def meanwhile(self, call: Call) -> bytes | None:
        """XML that keeps a person on the line until they are answered; None where nobody waits."""


class Reporting(Protocol):
    """A channel whose provider tells what became of its messages."""

    name: str
    kind: str

    @property
    def is_called(self) -> bool:
        """The provider was told where to report; else it has to be asked."""

    async def look_up(self, message_id: str) -> Report | None:
        """Ask what became of a message; None where nothing is known yet. Raises `DeliveryError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What an action is run for."""

    execution_id: str
    incident_id: str
    tenant_id: str
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known after a run. `status`: succeeded, failed (it says so itself, or never began) or unknown."""

    status: str
    detail: str
    facts: Mapping[str, Any]
    said: Said | None = None
    """The detail for every language, where it is ours."""


class Action(Protocol):
    """A kind of recovery."""

    kind: str

    def describe(self, spec: ActionSpec) -> str:
        """Exactly what would run, in one line, without secrets."""

    async def preview(self, spec: ActionSpec, run: Run) -> str | None:
        """What would happen, without doing it; None where the action has no preview."""

    async def execute(self, spec: ActionSpec, run: Run) -> Outcome:
        """Do it, once. Never repeats and never raises for a failure of the action."""


class Source(Protocol):
    """Where health reports come from."""

    async def poll(self, service: Service, evidence: bool) -> Snapshot: ...

    async def recoveries(self, service: Service) -> tuple[ActionSpec, ...] | None:
        """The recoveries that the service itself offers; None where it could not be asked."""


class Diagnoser(Protocol):
    name: str

    async def diagnose(self, snapshot: Snapshot) -> Finding: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered: `said` as it stands there, unread and untrusted."""

    said: object
    model: str
    usage: Usage | None
    """None where it was not told."""
    request_id: str | None = None


class Model(Protocol):
    """Something that can be asked for a second reading, for money. It decides nothing."""

    name: str
    model: str
    prices: Prices

    def complaint(self) -> Said | None:
        """Why it cannot be asked as it is configured; None where nothing speaks against it."""

    async def prepare(self) -> None:
        """Whatever takes time before the first question."""

    async def ask(self, question: Question, max_tokens: int, limit_s: float) -> Answer:
        """Ask once. Raises `ModelFailed`."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in that begins: where the browser goes, and what it keeps meanwhile (sealed), for how long."""

    url: str
    kept: str
    life_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in: a mailbox that the provider verified. `tenants`: those that it names for them, None for any;
    `back`: where they came from; `occasion` names this very sign-in."""

    email: str
    tenants: tuple[str, ...] | None
    back: str
    occasion: str


class Identities(Protocol):
    """A provider of identities."""

    async def begin(self, redirect_uri: str, back: str) -> SignIn:
        """Raises `SignInFailed` where the provider cannot be asked."""

    async def finish(self, redirect_uri: str, kept: str, answer: Mapping[str, str]) -> Identity:
        """Who came back from the provider with `answer`. Raises `SignInFailed` for all that is not just right."""
