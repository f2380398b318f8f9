"""Everything that an operator does with a tenant at the terminal, with a daemon and without."""

from __future__ import annotations

from typing import Any


def look_after(cli: Any, tenant: str, key: str) -> None:
    """Its plan, its standing, its keys."""
    rows = {row["tenant_id"]: row for row in cli.json("tenants", "list")["tenants"]}
    assert (rows[tenant]["plan"], rows[tenant]["status"]) == ("enterprise", "active")
    assert tenant in cli("tenants", "list").stdout
    assert cli.json("tenants", "suspend", tenant, "--reason", "unpaid")["status"] == "suspended"
    assert cli.json("tenants", "resume", tenant)["status"] == "active"
    assert cli.json("tenants", "plan", tenant, "scale")["plan"] == "scale"
    assert "choose from" in cli("tenants", "plan", tenant, "gold", code=2).stderr

    made = cli("tenants", "rotate-key", tenant, "--overlap", "60")
    assert made.stdout.startswith("aek_live_")
    assert "shown this once" in made.stderr
    whole = cli.json("tenants", "show", tenant)
    assert [k["state"] for k in whole["keys"]] == ["valid", "valid"]
    assert sum(k["expires_at"] is not None for k in whole["keys"]) == 1
    assert key not in str(whole)
    shown = cli("tenants", "show", tenant)
    for word in ("scale", "tenant_suspended", "plan_changed", "Tariro", "payments", "never"):
        assert word in shown.stdout, word
    assert cli("tenants", "webhook-secret", tenant).stdout.startswith("whsec_")
    old = key.split("_")[2]
    cli("tenants", "revoke-key", tenant, old)
    states = {k["key_id"]: k["state"] for k in cli.json("tenants", "show", tenant)["keys"]}
    assert states[old] == "revoked"


def add_and_remove(cli: Any, tenant: str, url: str = "http://127.0.0.1:1/health/alerts") -> None:
    """A service and a contact of it."""
    of = ("--tenant", tenant)
    added = cli.json("services", "add", "orders", "--health-url", url, "--min-score", "40", *of)
    assert added["thresholds"] == {"min_score_to_alert": 40}
    assert "is changed" in cli("services", "change", "orders", "--name", "shop", *of).stderr
    assert "Say what" in cli("services", "change", "shop", *of, code=2).stderr
    assert "shop" in cli("services", "list", tenant).stdout
    assert "is watched no more" in cli("services", "remove", "shop", *of).stderr
    assert [s["service"] for s in cli.json("services", "list", tenant)["services"]] == ["payments"]
    assert "no service shop" in cli("services", "remove", "shop", *of, code=1).stderr

    rudo = cli.json("contacts", "add", "Rudo=x", "--role", "viewer", *of)
    assert (rudo["role"], rudo["verified"]) == ("viewer", True)
    after = cli.json("contacts", "change", "Rudo", "--role", "admin", "--language", "fr", *of)
    assert (after["role"], after["language"]) == ("admin", "fr")
    assert "Say what" in cli("contacts", "change", "Rudo", *of, code=2).stderr
    listed = cli("contacts", "list", tenant).stdout
    assert listed.index("Tariro") < listed.index("Rudo")
    people = {p["name"]: p["role"] for p in cli.json("people", "list", *of)["people"]}
    assert people == {"Tariro": "approver", "Rudo": "admin"}
    assert "told nothing" in cli("contacts", "remove", rudo["contact_id"], *of).stderr
    assert "no contact Rudo" in cli("contacts", "remove", "Rudo", *of, code=1).stderr


def export(cli: Any, tenant: str, incident: str) -> None:
    """Its evidence, as an auditor gets and checks it."""
    file = cli.data.parent / f"evidence-{tenant}.zip"
    said = cli("tenants", "export", tenant, "-o", str(file)).stderr
    assert f"incidents of {tenant}" in " ".join(said.split())
    assert file.stat().st_mode & 0o077 == 0
    checked = cli.json("ledger", "verify-bundle", str(file))
    assert incident in [row["incident_id"] for row in checked["incidents"]]
    assert incident in cli("ledger", "verify-bundle", str(file)).stdout
