"""What adapters are built with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alertengine.core.model import Contact
from alertengine.core.said import Said
from alertengine.http import Http
from alertengine.ports import Clock, Outcome
from alertengine.signing import Vault

SEALED = "sealed:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`new_id` makes an unguessable id with a prefix. `tenant_secrets` gives what signs a tenant's calls, by purpose
    and tenant, the newest first (`signing.tenant_secrets`). `public_url` is how providers reach this daemon; None
    where the operator named no address."""

    http: Http
    clock: Clock
    vault: Vault
    new_id: Callable[[str], str]
    tenant_secrets: Callable[[str, str], tuple[str, ...]]
    public_url: str | None = None

    def opened(self, contact: Contact) -> tuple[str, str | None]:
        """(address, secret) of a contact; None where it brings no secret of its own."""
        if not contact.address.startswith(SEALED):
            return contact.address, None
        brought = json.loads(self.vault.open(contact.address.removeprefix(SEALED)))
        return brought["address"], brought["secret"]


def sealed(vault: Vault, address: str, secret: str) -> str:
    """A contact's address together with its own secret, so that the store does not hold it readable."""
    return SEALED + vault.seal(json.dumps({"address": address, "secret": secret}))


def ended(status: str, key: str, facts: Mapping[str, Any], /, **values: object) -> Outcome:
    """An outcome whose detail is a sentence of ours."""
    said = Said(f"ran.{key}", values)
    return Outcome(status=status, detail=said.english, facts=facts, said=said)
