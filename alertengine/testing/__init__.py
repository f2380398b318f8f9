"""For tests of AlertEngine and of what is built on it: time that moves when told, and a recording channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alertengine.core.events import Event, EventType, NewEvent
from alertengine.core.incident import Incident, fold
from alertengine.core.message import Message
from alertengine.core.model import ActionSpec, Actor, Contact, Service
from alertengine.core.snapshot import Snapshot, read_report
from alertengine.errors import DeliveryError
from alertengine.ports import Examination, Outcome, Receipt, Run, Traits

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TARIRO = Actor(kind="contact", id="con_tariro", name="Tariro")


class FakeClock:
    """Stands still until `advance`; who sleeps wakes when its time has come."""

    def __init__(self, at: datetime = START) -> None:
        self._start = at
        self._passed = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def wall(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self._passed + seconds, woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        self._passed += seconds
        for due, woken in self._sleepers:
            if due <= self._passed:
                woken.set()
        self._sleepers = [s for s in self._sleepers if not s[1].is_set()]

    def set_wall(self, at: datetime) -> None:
        """The wall clock jumps; monotonic time does not."""
        self._start = at - timedelta(seconds=self._passed)


@dataclass
class RecordingChannel:
    """Keeps what it is given. `failures`: raised one after another before anything is accepted."""

    name: str = "console"
    kind: str = "console"
    traits: Traits = field(default_factory=lambda: Traits(idempotent=True))
    sent: list[tuple[Contact, Message, str]] = field(default_factory=list)
    failures: list[DeliveryError] = field(default_factory=list)

    def complaint(self, contact: Contact) -> str | None:
        return None

    async def examine(self) -> Examination:
        return Examination(detail="keeps what it is given")

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((contact, message, idempotency_key))
        return Receipt(provider_message_id=f"rec-{len(self.sent)}")

    @property
    def kinds(self) -> list[str]:
        return [str(message.kind) for _, message, _ in self.sent]

    @property
    def last(self) -> Message:
        return self.sent[-1][1]

    @property
    def last_token(self) -> str:
        """The token in the newest link that was sent."""
        url = next(m.url for _, m, _ in reversed(self.sent) if m.url)
        return url.partition("token=")[2]


@dataclass
class ScriptedSource:
    """Answers each poll with `report` as it is then (a callable is asked), at the clock's time."""

    clock: FakeClock
    report: Mapping[str, Any] | Callable[[], Snapshot] = field(default_factory=lambda: healthy_report())
    offers: tuple[ActionSpec, ...] = ()

    async def poll(self, service: Service, evidence: bool) -> Snapshot:
        if callable(self.report):
            return self.report()
        return replace(read_report(self.clock.now(), self.report), asked=evidence)

    async def recoveries(self, service: Service) -> tuple[ActionSpec, ...]:
        return self.offers


@dataclass
class RecordingAction:
    """An action that keeps its runs and ends as `outcome` says."""

    kind: str = "app"
    outcome: Outcome = field(default_factory=lambda: Outcome(status="succeeded", detail="done", facts={}))
    runs: list[Run] = field(default_factory=list)

    def describe(self, spec: ActionSpec) -> str:
        return f"recovery {spec.name} inside the app"

    async def preview(self, spec: ActionSpec, run: Run) -> str | None:
        return "closes 12 idle connections"

    async def execute(self, spec: ActionSpec, run: Run) -> Outcome:
        self.runs.append(run)
        return self.outcome


def healthy_report(**changes: Any) -> dict[str, Any]:
    return {
        "status": "ok",
        "health_score": {"score": 99.0, "status": "healthy", "trend": "stable"},
        "metrics": {"overall_p95_ms": 42.0, "error_rate": 0.0, "sample_size": 200},
        "alerts": [],
        "routes": [],
        "storage": {"mode": "memory", "state": "ok", "dropped": 0},
        **changes,
    }


def critical_report(**changes: Any) -> dict[str, Any]:
    alert = {
        "type": "error_anomaly",
        "severity": "critical",
        "message": "61 % of requests to POST /pay fail (usual 0.2 %)",
        "route": "POST /pay",
        "value": 0.61,
        "threshold": 0.05,
        "since": "2026-01-02T03:03:50Z",
    }
    critical: dict[str, Any] = {
        "status": "critical",
        "health_score": {"score": 23.0, "status": "critical", "trend": "degrading"},
        "metrics": {"overall_p95_ms": 2847.3, "error_rate": 0.61, "sample_size": 187},
        "alerts": [alert],
    }
    return healthy_report(**(critical | changes))


RESTART_POOL = ActionSpec(
    name="restart-pool",
    kind="app",
    description="recycle the connection pool",
    params={"name": "restart-pool"},
)


def make_events(*news: NewEvent, at: datetime = START) -> list[Event]:
    """`news` as appended events of one incident, a second apart, with made-up hashes."""
    return [
        Event(
            tenant_id="ten_1",
            incident_id="inc_1",
            seq=number,
            at=at + timedelta(seconds=number - 1),
            type=new.type,
            actor=new.actor,
            data=new.data,
            hash=f"{number:064x}",
            prev_hash=f"{number - 1:064x}" if number > 1 else "",
        )
        for number, new in enumerate(news, 1)
    ]


def detected(**changes: Any) -> NewEvent:
    data = {
        "service_id": "svc_1",
        "service": "payments",
        "severity": "critical",
        "title": "payments: POST /pay is failing",
        "reason": "61 % of requests to POST /pay fail (usual 0.2 %)",
        "kind": "degradation",
        "since": "2026-01-02T03:03:50Z",
        "snapshot": None,
        **changes,
    }
    return NewEvent(type=EventType.INCIDENT_DETECTED, data=data)


def diagnosed(action: ActionSpec | None = RESTART_POOL, **changes: Any) -> NewEvent:
    data = {
        "cause": "pool_exhaustion",
        "confidence": 0.92,
        "summary": "Database connections are used up.",
        "evidence": [
            {"id": "dependencies/0", "text": "waiting for a db connection: 1.3 s at P95 (usual 0 ms)"}
        ],
        "alternatives": [],
        "route": "POST /pay",
        "dependency": "db",
        "check_first": "the pool's size",
        "source": "rules",
        "recommended_action": action.name if action else None,
        "action": action.to_json() if action else None,
        "digest": action.digest() if action else None,
        **changes,
    }
    return NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=data)


def make_incident(*news: NewEvent) -> Incident:
    """An incident after a detection, a diagnosis and then `news`."""
    return fold(make_events(detected(), diagnosed(), *news))


def types_of(events: Sequence[Event]) -> list[str]:
    return [str(event.type) for event in events]
