"""A contact who leaves an address: what was sent there decides, shows and proves nothing more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from alertengine.core.model import Contact
from alertengine.store import directory, passes, verification
from alertengine.store.base import Query, Transaction


def leave(tx: Transaction, contact: Contact, new_jti: Callable[[], str], at: datetime) -> None:
    """Take back what this contact's old address has: its links, its views, its code, its share in what is amended.

    What is still to be sent gets links of another name: a try at the old address may have brought the first there.
    """
    tx.execute("DELETE FROM link WHERE tenant = ? AND contact = ?", contact.tenant_id, contact.id)
    passes.end_views(tx, contact.tenant_id, at, [contact.id])
    verification.void(tx, contact, at)
    tx.execute(
        "UPDATE attempt SET moved = 1 WHERE delivery IN (SELECT id FROM delivery WHERE tenant = ? AND contact = ?)",
        contact.tenant_id,
        contact.id,
    )
    for delivery in tx.fetch(_unsent(contact)):
        tx.execute(
            "UPDATE delivery SET jti = ? WHERE id = ? AND tenant = ?", new_jti(), delivery, contact.tenant_id
        )


def is_there(tx: Transaction, contact: Contact) -> bool:
    """The contact is where they were when they were read."""
    now = tx.fetch(directory.contact(contact.tenant_id, contact.id))
    return now is not None and _place(now) == _place(contact)


def moved(before: Contact, after: Contact) -> bool:
    return _place(before) != _place(after)


def _place(contact: Contact) -> tuple[str, str, datetime | None]:
    return contact.channel, contact.address, contact.verified_at


def _unsent(contact: Contact) -> Query[list[str]]:
    """A dead letter too, for it can be sent again."""
    return Query(
        sql="SELECT id FROM delivery WHERE tenant = ? AND contact = ? AND state IN ('queued', 'sending', 'dead')",
        params=(contact.tenant_id, contact.id),
        decode=lambda rows: [row[0] for row in rows],
    )
