"""What every pipeline function works with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alertengine.clock import SteadyClock
from alertengine.core.addresses import Network
from alertengine.core.authority import Rules
from alertengine.core.cost import Cost, Value, cost
from alertengine.core.detection import Watch
from alertengine.core.events import NewEvent
from alertengine.core.gate import Gate
from alertengine.core.incident import Incident
from alertengine.core.language import DEFAULT, ENGLISH, Words, words
from alertengine.core.mode import Condition
from alertengine.core.model import ActionSpec, Contact, Service
from alertengine.core.plans import PLANS, Plan
from alertengine.core.policy import Policy
from alertengine.core.spend import Budget, Terms
from alertengine.core.toll import Toll
from alertengine.http import Http
from alertengine.passes import PassSigner
from alertengine.pipeline.bounded import Bounded
from alertengine.ports import Action, Channel, Diagnoser, Identities, Model, Report, Source
from alertengine.signing import TokenSigner, Vault
from alertengine.store.base import Store

log = logging.getLogger(__name__)

EMPTY = Watch()
GATES = 1000
"""As many providers at once: each host that a webhook leads to is one."""
NOTED = 10_000
"""More keys than this are not counted: whoever has been quiet for longest is forgotten."""
TERMS = Terms(
    deadline_s=3.0,
    limit_s=20.0,
    max_tokens=1200,
    second_opinion=False,
    budget=Budget(tokens=300_000, usd=1.0),
)

UNSEEN: Mapping[str, Any] = {
    "active_tenants": 0,
    "services": [],
    "open_incidents": {},
    "queue": 0,
    "dlq_count": 0,
    "model": None,
    "postage": [],
    "silences": [],
}


@dataclass(slots=True)
class Memory:
    """What may be forgotten: a restart polls afresh, and everything that matters is in the store."""

    watches: dict[str, Watch] = field(default_factory=dict)
    """By service id."""
    offered: dict[str, tuple[ActionSpec, ...]] = field(default_factory=dict)
    """Recoveries that a service itself offers, by service id."""
    tolls: dict[str, Toll] = field(default_factory=dict)
    """What failed on the routes with a value, by service id."""
    noted: dict[str, tuple[int, float]] = field(default_factory=Bounded)
    """How often something was seen, and when it was last recorded (monotonic): floods are counted, not copied."""
    folded: dict[tuple[str, str], Incident] = field(default_factory=dict)
    """Open incidents as they were last seen, by tenant and id: the sweep reads what is new of each alone."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    outbox: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something was queued."""
    gates: dict[str, Gate] = field(default_factory=dict)
    """By channel."""
    early: dict[tuple[str, str], Report] = field(default_factory=Bounded)
    """Reports that came before the message they are about was written down as taken; by kind and id."""
    shown: dict[str, str] = field(default_factory=Bounded)
    """Digest of the action that was shown in a chat, by link: what is confirmed there was seen first."""
    limits: dict[str, float] = field(default_factory=dict)
    """When each rate limit is unspent again (monotonic), by name; those taken from last come last."""
    unkept_limits: set[str] = field(default_factory=set)
    """Which of them the store does not know yet."""
    unkept_uses: dict[str, datetime] = field(default_factory=dict)
    """When keys were used that the store does not know yet."""
    looked_up: dict[str, float] = field(default_factory=Bounded)
    """When a provider was last asked about a delivery (monotonic)."""
    thinking: set[tuple[str, int]] = field(default_factory=set)
    """Incidents whose message waits for the model, for a moment, and at which look at the evidence."""
    asking: set[asyncio.Task[Any]] = field(default_factory=set)
    """Questions to the model that are on their way."""
    reread: dict[str, datetime] = field(default_factory=dict)
    """Up to which poll a service's evidence was looked at again; by service id."""
    people: dict[str, list[Contact]] = field(default_factory=dict)
    """Everybody, by tenant, for when the store cannot be asked."""
    ticked_at: float | None = None
    """When the sweep last ran (monotonic)."""
    condition: Condition = field(default_factory=Condition)
    """Which of the daemon's own parts fail."""
    troubles: dict[str, str | None] = field(default_factory=dict)
    """What else works or does not, by part, as whoever uses it found: why not, or None."""
    glance: dict[str, Any] = field(default_factory=lambda: dict(UNSEEN))
    """What the store said for the status when it could last be read."""
    clock_gap_s: float = 0.0
    """How far the machine's clock was from the time on record when that was last noted."""
    unrecorded: list[NewEvent] = field(default_factory=list)
    """Events about the daemon itself that are not in the store yet."""

    def keep_gate(self, name: str, gate: Gate) -> None:
        """Those of whom nothing was wanted for longest go first."""
        self.gates.pop(name, None)
        self.gates[name] = gate
        while len(self.gates) > GATES:
            self.gates.pop(next(iter(self.gates)))

    def keep_services(self, known: Collection[str]) -> None:
        """Forget what was seen of services that are not watched any more."""
        seen: tuple[dict[str, Any], ...] = (self.watches, self.offered, self.tolls, self.reread)
        for each in seen:
            for gone in each.keys() - known:
                del each[gone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The parts of a running daemon. `new_id` makes an unguessable id with a prefix, `jitter` a number in 0-1."""

    clock: SteadyClock
    http: Http
    store: Store
    source: Source
    diagnoser: Diagnoser
    """The rules: always there, at once."""
    channels: Mapping[str, Channel]
    actions: Mapping[str, Action]
    catalogue: Mapping[str, ActionSpec]
    """The configured recoveries, by name, in the order of the configuration."""
    policy: Policy
    tokens: TokenSigner
    passes: PassSigner
    vault: Vault
    tenant_secrets: Callable[[str, str], tuple[str, ...]]
    """What signs a tenant's calls, by purpose and tenant, the newest first: see `signing.tenant_secrets`."""
    base_url: str
    boot: str
    """This life of the daemon."""
    new_id: Callable[[str], str]
    jitter: Callable[[], float]
    model: Model | None = None
    """Asked beside the rules, where one is configured."""
    terms: Terms = field(default_factory=lambda: TERMS)
    plans: Mapping[str, Plan] = field(default_factory=lambda: PLANS)
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """What the operator says a request is worth, by service and route."""
    language: str = DEFAULT
    """Of people who have named none."""
    private: Sequence[Network] = ()
    """The networks that a tenant's URL may lead to beside the public internet."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """What a message costs, by channel, where the operator says so."""
    rules: Rules = field(default_factory=Rules)
    """What the operator demands of decisions."""
    identities: Identities | None = None
    """Whom people sign in with; None where nobody does."""
    session_s: float = 43200.0
    """How long they stay signed in."""
    memory: Memory = field(default_factory=Memory)

    def now(self) -> datetime:
        return self.clock.now()

    def thinks(self, incident: Incident) -> bool:
        """The model is being asked about the newest reading, and the message still waits for it."""
        look = (incident.diagnosis or {}).get("look", 1)
        return (incident.id, look) in self.memory.thinking

    def watch(self, service_id: str) -> Watch:
        return self.memory.watches.get(service_id, EMPTY)

    def cost(self, service: Service | None, began: datetime) -> Cost | None:
        """What its trouble costs, as far as it was measured and somebody said what a request is worth."""
        if service is None:
            return None
        last, toll = self.watch(service.id).last, self.memory.tolls.get(service.id)
        fresh = last is not None and last.report is not None and not last.healthy
        try:
            return cost(toll, self.worth(service), began, self.now()) if fresh and toll else None
        except Exception:  # no figure keeps a message from its person
            if self.worth_noting(f"cost {service.id}", freely=1, every_s=600.0):
                log.exception("%s: what its trouble costs could not be told", service.name)
            return None

    def worth(self, service: Service) -> Mapping[str, Value]:
        """What a request of the service is worth, by route."""
        return {**self.values.get(service.name, {}), **service.value}

    def words(self, contact: Contact) -> Words:
        """The language in which this person is told."""
        theirs = words(contact.language or self.language)
        channel = self.channel_of(contact)
        unspoken = channel is not None and channel.traits.calls and theirs.voice is None
        return ENGLISH if unspoken else theirs

    def channel_of(self, contact: Contact) -> Channel | None:
        """The channel that the contact names, or the one of the kind that they name: "whatsapp" is either."""
        name = contact.channel
        kinds = ("whatsapp_twilio", "whatsapp_sent") if name == "whatsapp" else (name,)
        return self.channels.get(name) or next((c for c in self.channels.values() if c.kind in kinds), None)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run beside the caller, who may go away: a client that hangs up does not cancel a recovery."""
        task = asyncio.create_task(work)
        self.memory.tasks.add(task)
        task.add_done_callback(self.memory.tasks.discard)
        return task

    def recoveries(self, service: Service) -> tuple[ActionSpec, ...]:
        """What may be proposed for a service: its own list, else the configured ones, else what it offers."""
        if service.actions is not None:
            return service.actions
        configured = tuple(self.catalogue.values())
        return configured or self.memory.offered.get(service.id, ())

    def worth_noting(self, key: str, freely: int = 5, every_s: float = 10.0) -> int:
        """How many occurrences of `key` to record now: each of the first few, then one count for each period."""
        now = self.clock.monotonic()
        noted = self.memory.noted
        unseen, recorded_at = noted.pop(key, (-freely, now))
        unseen += 1
        waits = unseen > 0 and now - recorded_at < every_s
        noted[key] = (unseen, recorded_at) if waits else (min(unseen, 0), now)
        while len(noted) > NOTED:
            noted.pop(next(iter(noted)))
        return 0 if waits else max(unseen, 1)
