"""Everything in the store that is sealed with the daemon's secret."""

from __future__ import annotations

from collections.abc import Callable

from alertengine.store.base import Query, Transaction

_PLACES = (
    ("service", "id", "sealed_secret", ""),
    ("contact", "id", "address", "sealed:"),
    ("verification", "contact", "sealed_code", ""),
)
"""Table, key, column, and what stands before the seal."""


def change_all(tx: Transaction, anew: Callable[[str], str]) -> int:
    """Replace every seal by `anew(seal)`; answer how many there were."""
    changed = 0
    for table, key, column, prefix in _PLACES:
        for name, value in tx.fetch(_sealed(table, key, column, prefix)):
            after = prefix + anew(value.removeprefix(prefix))
            # Every name in it is one of those above; the values travel as parameters.
            changed += tx.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", after, name)  # noqa: S608
    return changed


def _sealed(table: str, key: str, column: str, prefix: str) -> Query[list[tuple[str, str]]]:
    return Query(
        sql=f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL AND substr({column}, 1, ?) = ?",  # noqa: S608
        params=(len(prefix), prefix),
        decode=lambda rows: [(row[0], row[1]) for row in rows],
    )
