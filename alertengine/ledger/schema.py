"""The store's schema as SQL: the first version, and the steps after it."""

from __future__ import annotations

import sqlite3
from importlib.resources import files

SCHEMA_VERSION = 3
FOLDER = files("alertengine.store")


def version(db: sqlite3.Connection) -> int:
    """The schema of this file; 0 is a file without one."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def script(have: int, wanted: int | None = None) -> str:
    """What brings a file of schema `have` to `wanted` (today's); 0 is a file without one.

    Step N is the file `migrate_N.sql`, from schema N - 1 to N. A new file goes the same way, so there is one truth.
    """
    wanted = SCHEMA_VERSION if wanted is None else wanted
    names = [f"migrate_{step}.sql" for step in range(max(have, 1) + 1, wanted + 1)]
    if have == 0:
        names.insert(0, "schema.sql")
    return "\n".join(FOLDER.joinpath(name).read_text() for name in names)
