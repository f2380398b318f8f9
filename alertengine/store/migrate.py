"""Bringing a store file to this version's schema: forward only, whole or not at all, with a copy kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alertengine.errors import SchemaTooNew
from alertengine.ledger import schema

APPLICATION_ID = 0x41455331  # "AES1"


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring an empty or older file up to date; a newer one is not touched.

    A process that dies in it leaves the old schema.
    """
    version = schema.version(db)
    if version > schema.SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{path} has schema {version}, this AlertEngine knows {schema.SCHEMA_VERSION}. Upgrade AlertEngine; "
            "the file was not touched."
        )
    if version == schema.SCHEMA_VERSION:
        return
    if version > 0:
        _keep_copy(db, path.with_name(f"{path.name}.schema-{version}"))
    db.executescript(
        f"BEGIN IMMEDIATE;{schema.script(version)};PRAGMA application_id={APPLICATION_ID};"
        f"PRAGMA user_version={schema.SCHEMA_VERSION};COMMIT;"
    )


def _keep_copy(db: sqlite3.Connection, target: Path) -> None:
    """The file as it was, for the way back."""
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as copy:
        db.backup(copy)
