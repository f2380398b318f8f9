"""`alertengine tenants export` and the check of what it wrote."""

from __future__ import annotations

from typing import Any

from tenancy import export


def test_a_tenant_s_evidence_is_written_and_verified(cli: Any) -> None:
    tenant = cli.onboard()["tenant_id"]
    export(cli, tenant, cli.json("test")["incident_id"])

    file = cli.data.parent / f"evidence-{tenant}.zip"
    file.write_bytes(file.read_bytes()[:-200])
    assert cli.json("ledger", "verify-bundle", str(file), code=1)["verified"] is False
    made = cli.json("tenants", "export", "payments", "-o", str(file), "--until", "2020-01-01")
    assert (made["file"], made["incidents"]) == (str(file), 0)


def test_what_cannot_be_exported_leaves_no_file(cli: Any) -> None:
    cli.onboard()
    file = cli.data.parent / "evidence.zip"
    cli("tenants", "export", "nobody", "-o", str(file), code=1)
    cli("tenants", "export", "-o", str(file), "--since", "yesterday", code=2)
    cli("tenants", "export", "-o", str(cli.data.parent / "none" / "x.zip"), code=1)
    assert list(cli.data.parent.glob("evidence*")) == []
