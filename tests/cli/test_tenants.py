"""`alertengine tenants`, `services` and `contacts` without a daemon, on a real store."""

from __future__ import annotations

from typing import Any

from tenancy import add_and_remove, look_after


def test_a_tenant_is_looked_after(cli: Any) -> None:
    made = cli.onboard()
    look_after(cli, made["tenant_id"], made["api_key"])
    assert "Nothing was refused" in cli("tenants", "refusals").stderr


def test_services_and_contacts_are_added_and_removed(cli: Any) -> None:
    add_and_remove(cli, cli.onboard()["tenant_id"])


def test_which_tenant_is_meant(cli: Any) -> None:
    told = ("services", "list")
    assert "alertengine onboard" in cli(*told, code=1).stderr
    first = cli.onboard()["tenant_id"]
    cli(*told)
    assert "no tenant nobody" in cli(*told, "nobody", code=1).stderr
    cli.onboard()
    both = cli(*told, code=2).stderr
    assert first in both
    assert "several tenants of this name" in " ".join(cli(*told, "payments", code=2).stderr.split())
    cli(*told, first)
