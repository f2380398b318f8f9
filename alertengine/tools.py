"""What adapters are built with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alertengine.http import Http
from alertengine.ports import Clock
from alertengine.signing import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`new_id` makes an unguessable id with a prefix, `webhook_secret` gives a tenant's own signing secret.
    `public_url` is how providers reach this daemon; None where the operator named no address."""

    http: Http
    clock: Clock
    vault: Vault
    new_id: Callable[[str], str]
    webhook_secret: Callable[[str], str]
    public_url: str | None = None
