"""Any order of appends, failures, crashes, prunings and restarts leaves a record that is whole and verifies."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_life import SIGNER as SIGNER

from alertengine.core.events import EventType, NewEvent
from alertengine.errors import SlotTaken, Stale
from alertengine.ledger.note import Checkpoint, open_checkpoint
from alertengine.ledger.verify import verify_file
from alertengine.store import incidents
from alertengine.store.log import Ledger
from alertengine.store.prune import prune
from alertengine.store.sqlite import SqliteTransaction, connect
from alertengine.testing import START

TENANTS = st.sampled_from(["t_1", "t_2"])
INCIDENTS = st.sampled_from([f"inc_{n}" for n in range(4)])


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.file = 0
        self.at = START
        self.model: dict[tuple[str, str], list[str]] = {}
        self.pruned: set[tuple[str, str]] = set()
        self.seen: list[Checkpoint] = []
        self.open(self.folder / "0.db")

    def open(self, path: Path) -> None:
        self.path = path
        self.db = connect(path)
        self.unit = SqliteTransaction(self.db, Ledger(self.db, SIGNER, SIGNER.key.name))

    def teardown(self) -> None:
        self.db.close()
        shutil.rmtree(self.folder)

    def key(self, tenant: str, name: str) -> tuple[str, str]:
        return tenant, f"{tenant}_{name}"

    def next_event(self, key: tuple[str, str]) -> NewEvent:
        if key in self.model:
            return NewEvent(type=EventType.ALERT_FAILED, data={"n": len(self.model[key])})
        data = {"service_id": f"svc_{key[1]}", "service": "pay", "severity": "critical", "title": "slow"}
        return NewEvent(type=EventType.INCIDENT_DETECTED, data=data)

    def work(self, steps: list[tuple[tuple[str, str], str]]) -> None:
        """One batch as the writer does it: each step under a savepoint, some of which fail."""
        self.at += timedelta(seconds=1)
        self.db.execute("BEGIN IMMEDIATE")
        for key, how in steps:
            if key in self.pruned:
                continue
            history = self.model.get(key, [])
            event = self.next_event(key)
            expected = len(history) + (how == "stale")
            try:
                self.unit.append(*key, [event], expected, self.at)
                if "read" in how:  # what waits is written, within this piece
                    assert len(self.unit.fetch(incidents.events(*key))) == expected + 1
                if "fail" in how:
                    raise LookupError
            except (Stale, SlotTaken, LookupError):
                assert how not in ("well", "read")
                self.unit.drop()
            else:
                self.unit.keep()
                self.model[key] = [*history, str(event.type)]
        self.unit.before_commit()

    @rule(
        steps=st.lists(
            st.tuples(TENANTS, INCIDENTS, st.sampled_from(["well", "read", "fail", "read, fail", "stale"])),
            max_size=8,
        )
    )
    def commit(self, steps: list[tuple[str, str, str]]) -> None:
        self.work([(self.key(tenant, name), how) for tenant, name, how in steps])
        self.db.execute("COMMIT")
        self.unit.committed()

    @rule(tenant=TENANTS, names=st.lists(INCIDENTS, min_size=1, max_size=4))
    def lose(self, tenant: str, names: list[str]) -> None:
        """The commit itself fails: nothing of the batch is there."""
        before = {key: list(history) for key, history in self.model.items()}
        self.work([(self.key(tenant, name), "well") for name in names])
        self.db.execute("ROLLBACK")
        self.unit.rolled_back()
        self.model = before

    @rule(tenant=TENANTS, names=st.lists(INCIDENTS, min_size=1, max_size=4))
    def crash(self, tenant: str, names: list[str]) -> None:
        """The process dies inside a batch; the files are what they are at that moment."""
        before = {key: list(history) for key, history in self.model.items()}
        self.work([(self.key(tenant, name), "well") for name in names])
        self.file += 1
        image = self.folder / f"{self.file}.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.path}{suffix}", f"{image}{suffix}")
        self.db.execute("ROLLBACK")
        self.db.close()
        self.model = before
        self.open(image)

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 100))
    def forget(self, choice: int) -> None:
        """An incident is pruned (that it is closed is the caller's care)."""
        key = sorted(self.model)[choice % len(self.model)]
        self.at += timedelta(seconds=1)
        self.db.execute("BEGIN IMMEDIATE")
        prune(self.unit, *key, {"reason": "a test"}, self.at)
        self.unit.keep()
        self.unit.before_commit()
        self.db.execute("COMMIT")
        self.unit.committed()
        del self.model[key]
        self.pruned.add(key)

    @rule(tenant=TENANTS)
    def look(self, tenant: str) -> None:
        row: Any = self.db.execute("SELECT note FROM checkpoint WHERE tree = ?", (tenant,)).fetchone()
        if row:
            self.seen.append(open_checkpoint(row[0], [SIGNER.vkey]))

    @invariant()
    def everything_is_there_and_verifies(self) -> None:
        if not hasattr(self, "db"):
            return
        for key, history in self.model.items():
            assert [str(e.type) for e in self.unit.fetch(incidents.events(*key))] == history
        report = verify_file(self.path, [SIGNER.vkey], self.seen)
        assert report.problems == ()


StoreMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestStore = pytest.mark.slow(StoreMachine.TestCase)
