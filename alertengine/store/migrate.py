"""Bringing a store file to this version's schema: forward only, whole or not at all, with a copy kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from alertengine.errors import SchemaTooNew

SCHEMA_VERSION = 1
APPLICATION_ID = 0x41455331  # "AES1"

_FOLDER = files("alertengine.store")


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """A new file gets the schema; an older one each step up to it; a newer one is not touched.

    Step N is the file `migrate_N.sql`, from schema N - 1 to N. A process that dies in it leaves the old schema.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{path} has schema {version}, this AlertEngine knows {SCHEMA_VERSION}. Upgrade AlertEngine; "
            "the file was not touched."
        )
    if version == 0:
        _run(db, _FOLDER.joinpath("schema.sql").read_text(), SCHEMA_VERSION)
    elif version < SCHEMA_VERSION:
        _keep_copy(db, path.with_name(f"{path.name}.schema-{version}"))
        for step in range(version + 1, SCHEMA_VERSION + 1):
            _run(db, _FOLDER.joinpath(f"migrate_{step}.sql").read_text(), step)


def _run(db: sqlite3.Connection, sql: str, version: int) -> None:
    db.executescript(
        f"BEGIN IMMEDIATE;{sql};PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={version};COMMIT;"
    )


def _keep_copy(db: sqlite3.Connection, target: Path) -> None:
    """The file as it was, for the way back."""
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as copy:
        db.backup(copy)
