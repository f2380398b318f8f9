"""The ledger's commands as a person uses them: real processes' entry point, real files."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertengine.cli.main import app
from alertengine.core.events import EventType, NewEvent
from alertengine.ledger.keys import open_signer, public_keys
from alertengine.store.sqlite import SqliteStore

AT = datetime(2026, 11, 24, 9, 41, tzinfo=UTC)
DETECTED = {"service_id": "s", "service": "pay", "severity": "critical", "title": "slow"}


@dataclass
class Answer:
    status: int
    out: str
    err: str

    @property
    def json(self):  # type: ignore[no-untyped-def]
        return json.loads(self.out)


class Home:
    """A data directory with one incident, and the command line on it."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._capsys = capsys

    def run(self, *words: str | Path, data: Path | None = None) -> Answer:
        with pytest.raises(SystemExit) as ended:
            app(["--data-dir", str(data or self.data), *map(str, words)])
        shown = self._capsys.readouterr()
        return Answer(int(ended.value.code or 0), shown.out, shown.err)

    def add(self, incident: str, kinds: Sequence[EventType] = (EventType.INCIDENT_DETECTED,)) -> None:
        async def work() -> None:
            signer = open_signer(self.data / "ledger.key", "alerts.example.com")
            store = await SqliteStore.open(self.data / "alertengine.db", signer, signer.key.name)
            events = [NewEvent(type=kind, data={**DETECTED, "service_id": incident}) for kind in kinds]
            await store.transact(lambda tx: tx.append("t_1", incident, events, 0, AT))
            await store.close()

        asyncio.run(work())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    monkeypatch.chdir(tmp_path)
    for name in ("ALERTENGINE_CONFIG", "ALERTENGINE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "data").mkdir(mode=0o700)
    home = Home(tmp_path / "data", capsys)
    home.add("inc_a", [EventType.INCIDENT_DETECTED, EventType.ALERT_ACCEPTED])
    return home


def tamper(home: Home) -> None:
    with closing(sqlite3.connect(home.data / "alertengine.db", isolation_level=None)) as db:
        guard = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_unchanged'").fetchone()[0]
        db.execute("DROP TRIGGER event_unchanged")
        db.execute(
            "UPDATE event SET body = CAST(replace(CAST(body AS TEXT), 'slow', 'fine') AS BLOB) WHERE tree = 't_1'"
        )
        db.execute(guard)


def test_verify_says_so(home: Home) -> None:
    answer = home.run("ledger", "verify")
    assert (answer.status, answer.out) == (0, "verified: 4 entries in 2 logs, 0 of them pruned\n")
    found = home.run("ledger", "verify", "--json")
    assert found.json["verified"] is True
    assert found.json["size"] == 4


def test_verify_names_what_was_changed(home: Home) -> None:
    tamper(home)
    answer = home.run("ledger", "verify")
    assert answer.status == 1
    assert "t_1: entry 0: its body and its hash do not belong together" in answer.err
    found = home.run("ledger", "verify", "--json")
    assert found.status == 1
    assert found.json["problems"][0] == {
        "tree": "t_1",
        "index": 0,
        "reason": "entry 0: its body and its hash do not belong together",
    }


def test_verify_without_a_store_is_not_so(home: Home, tmp_path: Path) -> None:
    answer = home.run("ledger", "verify", data=tmp_path / "none")
    assert (answer.status, answer.out) == (1, "")
    assert "There is no store at" in answer.err
    assert not (tmp_path / "none").exists()


def test_a_kept_checkpoint_binds_the_log(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "seen.txt"
    kept.write_text(home.run("ledger", "checkpoint").out)
    home.add("inc_b")
    answer = home.run("ledger", "verify", "--checkpoint", kept)
    assert (answer.status, "2 earlier checkpoints fit" in answer.out) == (0, True)
    shutil.copytree(home.data, tmp_path / "before")
    home.add("inc_c")
    kept.write_text(home.run("ledger", "checkpoint").out)
    answer = home.run("ledger", "verify", "--checkpoint", kept, data=tmp_path / "before")
    assert answer.status == 1
    assert "the log had 4 entries when this checkpoint was seen; now it has 3" in answer.err


def test_what_a_message_showed_binds_the_log(home: Home) -> None:
    note = home.run("ledger", "checkpoint", "--tenant", "t_1").out
    size, root = note.split("\n")[1:3]
    assert home.run("ledger", "verify", "--seen", f"t_1 {size} {root}").status == 0
    assert home.run("ledger", "verify", "--seen", f"t_1 1 {root}").status == 1
    assert home.run("ledger", "verify", "--seen", "nonsense").status == 2


def test_a_checkpoint_of_somebody_else_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "seen.txt").write_text(home.run("ledger", "checkpoint").out.replace("t_1", "t_2"))
    answer = home.run("ledger", "verify", "--checkpoint", tmp_path / "seen.txt")
    assert answer.status == 1
    assert "holds no checkpoint of this log" in answer.err


def test_a_bundle_leaves_and_is_verified_by_anybody(home: Home, tmp_path: Path) -> None:
    bundle = tmp_path / "inc_a.html"
    assert home.run("ledger", "export", "inc_a", "-o", bundle).status == 0
    answer = home.run("ledger", "verify-bundle", bundle, data=tmp_path / "none")
    assert answer.status == 0
    assert "verified: 2 events of inc_a" in answer.out
    (vkey,) = public_keys(home.data / "ledger.key")
    assert vkey in answer.err
    found = home.run("ledger", "verify-bundle", bundle, "--vkey", vkey, "--json").json
    assert (found["verified"], found["key_trusted"], found["incident_id"]) == (True, True, "inc_a")
    bundle.write_bytes(bundle.read_bytes().replace(b"slow", b"fine"))
    answer = home.run("ledger", "verify-bundle", bundle)
    assert answer.status == 1
    assert "NOT" in answer.err
    assert home.run("ledger", "verify-bundle", bundle, "--json").json["verified"] is False


def test_what_cannot_be_exported_or_read_is_said_in_a_line(home: Home, tmp_path: Path) -> None:
    for words in (
        ("ledger", "export", "inc_x", "-o", tmp_path / "x.html"),
        ("ledger", "export", "inc_a", "-o", tmp_path / "no" / "folder.html"),
        ("ledger", "verify-bundle", tmp_path / "none.html"),
        ("ledger", "checkpoint", "--tenant", "t_9"),
    ):
        answer = home.run(*words)
        assert answer.status == 1, words
        assert answer.err.count("\n") == 1, answer.err
        assert "Traceback" not in answer.err


def test_keys_rotate(home: Home, tmp_path: Path) -> None:
    bundle = tmp_path / "inc_a.html"
    home.run("ledger", "export", "inc_a", "-o", bundle)
    (old,) = public_keys(home.data / "ledger.key")
    kept = tmp_path / "seen.txt"
    kept.write_text(home.run("ledger", "checkpoint").out)
    new = home.run("ledger", "rotate-key").out.strip()
    assert home.run("ledger", "verify", "--checkpoint", kept).status == 0
    assert home.run("ledger", "verify", "--vkey", new).status == 0
    assert home.run("ledger", "verify", "--vkey", old).status == 1
    assert home.run("ledger", "verify-bundle", bundle, "--vkey", old).status == 0


def test_backup_and_restore(home: Home, tmp_path: Path) -> None:
    assert home.run("backup", tmp_path / "b.tar").status == 0
    assert home.run("backup", tmp_path / "b.tar").status == 2
    new = tmp_path / "new"
    assert home.run("restore", tmp_path / "b.tar", data=new).status == 0
    found = home.run("ledger", "verify", "--json", data=new).json
    assert (found["verified"], found["size"]) == (True, 6)
    answer = home.run("restore", tmp_path / "b.tar")
    assert answer.status == 2
    assert "is not empty" in answer.err


def test_an_older_copy_is_accepted_on_the_record(home: Home, tmp_path: Path) -> None:
    shutil.copy(home.data / "alertengine.db", tmp_path / "copy")
    home.add("inc_b")
    shutil.copy(tmp_path / "copy", home.data / "alertengine.db")
    assert home.run("ledger", "accept", "--reason", "the disk was replaced").status == 0
    home.add("inc_c")
    assert home.run("ledger", "verify").status == 0


def test_a_held_directory_is_left_alone(home: Home) -> None:
    from alertengine.datadir import DataDir

    with DataDir(home.data).held():
        for words in (("ledger", "rotate-key"), ("ledger", "accept", "--reason", "x")):
            assert home.run(*words).status == 75
        assert home.run("ledger", "verify").status == 0
