"""Who gave a URL: it decides what the URL may lead to."""

from __future__ import annotations

from enum import StrEnum


class Given(StrEnum):
    OPERATOR = "operator"
    """By the configuration, the terminal or the admin key: loopback and private networks are theirs."""
    TENANT = "tenant"
    """By a tenant's key: the public internet alone, and what the operator listed."""
