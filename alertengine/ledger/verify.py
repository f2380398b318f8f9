"""Verify a whole store file: every leaf, node, chain and signature. Reads only, also while a daemon writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alertengine.ledger import schema
from alertengine.ledger.lookups import LOOKUPS
from alertengine.ledger.note import Checkpoint, NoteError, open_checkpoint
from alertengine.ledger.walk import MILESTONE, MILESTONE_EVERY, SYSTEM_TREE, Bad, Walk, walk

_SCHEMA = (
    "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """`tree` is None where the file itself is at fault; `index` is the first bad entry, where one is known."""

    tree: str | None
    index: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.tree}: {self.reason}" if self.tree else self.reason

    def to_json(self) -> dict[str, Any]:
        return {"tree": self.tree, "index": self.index, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class TreeReport:
    tree: str
    size: int
    pruned: int
    root: bytes

    def to_json(self) -> dict[str, Any]:
        return {"tree": self.tree, "size": self.size, "pruned": self.pruned, "root": self.root.hex()}


@dataclass(frozen=True, slots=True)
class Report:
    trees: tuple[TreeReport, ...]
    problems: tuple[Problem, ...]

    @property
    def verified(self) -> bool:
        return not self.problems

    @property
    def size(self) -> int:
        return sum(tree.size for tree in self.trees)

    def to_json(self) -> dict[str, Any]:
        return {
            "verified": self.verified,
            "size": self.size,
            "trees": [tree.to_json() for tree in self.trees],
            "problems": [problem.to_json() for problem in self.problems],
        }


def verify_file(path: Path, vkeys: Sequence[str], anchors: Iterable[Checkpoint] = ()) -> Report:
    """Verify the store in this file against these keys and against heads that were seen before."""
    # SQLite's own check of the pages runs beside ours of the content: it holds no interpreter lock.
    with ThreadPoolExecutor(1) as pool:
        pages = pool.submit(_reading, path, lambda db: _check_pages(db, path))
        content = _reading(path, lambda db: verify(db, vkeys, anchors))
        found = pages.result()
    return Report(content.trees, tuple(dict.fromkeys((*content.problems, *found.problems))))


def verify(db: sqlite3.Connection, vkeys: Sequence[str], anchors: Iterable[Checkpoint] = ()) -> Report:
    """Verify what the ledger's tables hold."""
    reports: list[TreeReport] = []
    problems: list[Problem] = []
    wanted = _by_tree(anchors)
    trees = _trees(db)
    opened = {SYSTEM_TREE} if trees else set()
    for tree in trees:
        try:
            seen = _verify_tree(db, tree, vkeys, wanted.get(tree, []))
        except Bad as bad:
            problems.append(Problem(tree, bad.index, str(bad)))
        except sqlite3.Error:
            raise
        except Exception as error:  # a forgery can be of any type, size and depth
            problems.append(Problem(tree, None, f"the log cannot be read: {error!r:.200}"))
        else:
            reports.append(TreeReport(tree, seen.frontier.size, len(seen.pruned), seen.frontier.root()))
            opened.update(e["data"]["tree"] for _, e in seen.own if e["type"] == "tree_opened")
    missing = sorted((opened | wanted.keys()) - set(trees))
    problems += [Problem(tree, 0, "this whole log is missing") for tree in missing]
    if not problems and (astray := _kept(db) - sum(tree.size for tree in reports)):
        problems.append(Problem(None, None, f"of the entries that are kept, {astray} stand in no log"))
    return Report(tuple(reports), tuple(problems))


def _kept(db: sqlite3.Connection) -> int:
    count: int = db.execute(
        "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM node WHERE level <= 0)"
    ).fetchone()[0]
    return count


def _reading(path: Path, work: Callable[[sqlite3.Connection], Report]) -> Report:
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as db:
            db.execute("BEGIN")  # one moment of the file, whatever a daemon adds meanwhile
            return work(db)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return Report((), (Problem(None, None, f"{path} is damaged or no store: {error}"),))
    except Exception as error:
        return Report((), (Problem(None, None, f"{path} cannot be verified: {error!r:.200}"),))


def _check_pages(db: sqlite3.Connection, path: Path) -> Report:
    found = [" ".join(row[0].split()) for row in db.execute("PRAGMA integrity_check(5)")]
    faults = _schema_faults(db) or _lookup_faults(db) if found == ["ok"] else found
    return Report((), tuple(Problem(None, None, f"{path} is damaged: {fault}") for fault in faults))


def _schema_faults(db: sqlite3.Connection) -> list[str]:
    """Tables and guards that are not as the file's schema has them."""
    version = min(schema.version(db), schema.SCHEMA_VERSION)
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(schema.script(0, version))
        expected = dict(model.execute(_SCHEMA).fetchall())
    stored = dict(db.execute(_SCHEMA).fetchall())
    if not stored.keys() & expected.keys():
        return ["it holds no store"]
    return [
        f"{name} is missing or changed" for name in sorted(expected) if stored.get(name) != expected[name]
    ] + [f"{name} does not belong here" for name in sorted(stored.keys() - expected.keys())]


def _lookup_faults(db: sqlite3.Connection) -> list[str]:
    """Rows kept for look-ups that do not follow from the events, and events without their rows."""
    return [f"{what} ({name})" for what, sql in LOOKUPS.items() for (name,) in db.execute(sql).fetchmany(3)]


def tree_of(checkpoint: Checkpoint) -> str:
    """The tree that a checkpoint's origin names: what follows `/log/`."""
    _, found, tree = checkpoint.origin.rpartition("/log/")
    if not found or not tree:
        raise NoteError(f"{checkpoint.origin!r} is not the origin of a log of AlertEngine")
    return tree


def _by_tree(anchors: Iterable[Checkpoint]) -> dict[str, list[Checkpoint]]:
    found: dict[str, list[Checkpoint]] = {}
    for anchor in anchors:
        found.setdefault(tree_of(anchor), []).append(anchor)
    return found


def _trees(db: sqlite3.Connection) -> list[str]:
    """Every tree that anything in the file speaks of, first those that are listed."""
    listed = [row[0] for row in db.execute("SELECT tree FROM tree ORDER BY tree")]
    others = db.execute(
        "SELECT tree FROM event UNION SELECT tree FROM node UNION SELECT tree FROM checkpoint"
        " UNION SELECT tree FROM milestone EXCEPT SELECT tree FROM tree ORDER BY tree"
    )
    return [*listed, *(row[0] for row in others)]


def _verify_tree(
    db: sqlite3.Connection, tree: str, vkeys: Sequence[str], anchors: Sequence[Checkpoint]
) -> Walk:
    if db.execute("SELECT 1 FROM tree WHERE tree = ?", (tree,)).fetchone() is None:
        raise Bad("the log is not listed, though there is something of it", 0)
    seen = walk(db, tree, frozenset(anchor.size for anchor in anchors))
    size = seen.frontier.size
    _check_count(db, tree, size)
    keys = Keys(seen.own, vkeys)
    head = _open_head(db, tree, size, keys)
    good = _check_milestones(db, seen, head.origin, keys)
    if head.root != seen.roots[size]:
        raise Bad(f"the entries from {good} on are not those that were signed", good)
    for anchor in anchors:
        _check_anchor(anchor, seen)
    _check_pruned(seen)
    return seen


def _check_count(db: sqlite3.Connection, tree: str, size: int) -> None:
    """Schema 1 counted the entries in `tree` as well."""
    if schema.version(db) > 1:
        return
    counted = db.execute("SELECT size FROM tree WHERE tree = ?", (tree,)).fetchone()[0]
    if counted != size:
        raise Bad(f"the log should have {counted} entries; it has {size}", size)


class Keys:
    """Which key had to sign at which size. The reader trusts the newest; the log itself names those before."""

    def __init__(self, own: Iterable[tuple[int, Mapping[str, Any]]], trusted: Sequence[str]) -> None:
        self._trusted = list(trusted)
        self._rotations = [
            (index, e["data"]["old_vkey"], e["data"]["new_vkey"])
            for index, e in own
            if e["type"] == "key_rotated"
        ]

    def at(self, size: int) -> list[str]:
        """The keys of which one must have signed a tree of this size."""
        later = [old for index, old, _ in self._rotations if index >= size]
        if later:
            return later[:1]
        if not self._rotations:
            return self._trusted
        newest = self._rotations[-1][2]
        return [newest] if newest in self._trusted else []


def _open_head(db: sqlite3.Connection, tree: str, size: int, keys: Keys) -> Checkpoint:
    row = db.execute("SELECT size, note FROM checkpoint WHERE tree = ?", (tree,)).fetchone()
    if row is None:
        raise Bad("the log has no signed checkpoint")
    try:
        head = open_checkpoint(row[1], keys.at(size))
        named = tree_of(head)
    except NoteError as error:
        raise Bad(f"the checkpoint does not hold: {error}") from None
    if named != tree:
        raise Bad(f"the checkpoint is that of {named}")
    if not head.size == row[0] == size:
        reason = f"the checkpoint was signed at {head.size} entries and filed at {row[0]}; there are {size}"
        raise Bad(reason, min(head.size, size))
    return head


def _check_milestones(db: sqlite3.Connection, seen: Walk, origin: str, keys: Keys) -> int:
    """Answer the size up to which everything is as it was signed."""
    good = 0
    rows = db.execute("SELECT size, note FROM milestone WHERE tree = ? ORDER BY size", (seen.tree,))
    for size, note in rows:
        if size != good + MILESTONE_EVERY or size not in seen.roots:
            raise Bad(f"the milestone at {size} should be at {good + MILESTONE_EVERY}", good)
        try:
            signed = open_checkpoint(note, keys.at(size))
        except NoteError as error:
            raise Bad(f"the milestone at {size} does not hold: {error}", good) from None
        if signed != Checkpoint(origin + MILESTONE, size, seen.roots[size]):
            raise Bad(f"entries {good} to {size - 1} are not those that were signed", good)
        good = size
    if good + MILESTONE_EVERY <= seen.frontier.size:
        raise Bad(f"the milestone at {good + MILESTONE_EVERY} is missing", good)
    return good


def _check_anchor(anchor: Checkpoint, seen: Walk) -> None:
    size = seen.frontier.size
    if anchor.size > size:
        raise Bad(f"the log had {anchor.size} entries when this checkpoint was seen; now it has {size}", size)
    if anchor.size and seen.roots[anchor.size] != anchor.root:
        raise Bad(f"the first {anchor.size} entries are not those of the checkpoint that was seen")


def _check_pruned(seen: Walk) -> None:
    """What is gone is exactly what the log says was pruned."""
    told: set[int] = set()
    for _, event in seen.own:
        if event["type"] == "incident_pruned":
            for first, last in event["data"]["entries"]:
                told.update(range(first, last + 1))
    for index in sorted(told ^ seen.pruned):
        word = (
            "was pruned without a word in the log" if index in seen.pruned else "was pruned, yet it is here"
        )
        raise Bad(f"entry {index} {word}", index)
