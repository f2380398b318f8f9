"""Secrets stay where they belong, through a whole incident with trouble in it."""

from __future__ import annotations

import base64

import pytest
from harness import QUICK, SECRET, Admit, Daemon, MakeDaemon, Patient, token_of
from recoveries import command
from stage import CRITICAL, HEALTHY, Server, say, wait_for

SERVICE_SECRET = "canary-of-the-service-7f3a9c"
ADMIN_KEY = "canary-of-the-operator-51d0be"
ALERT_SECRET = "canary of the daemon 8c2e17 with plenty of characters"


@pytest.mark.slow
def test_no_secret_is_printed_answered_or_kept_readable(admit: Admit, make_daemon: MakeDaemon) -> None:
    environ = {"ALERTENGINE_ADMIN_KEY": ADMIN_KEY, "ALERT_SECRET": ALERT_SECRET}
    daemon = make_daemon(QUICK + command("ok"), env=environ).start()
    patient = admit(CRITICAL, daemon=daemon, actions=["ok"], service_secret=SERVICE_SECRET)
    patient.phone.script = [say(500)]
    incident = patient.watched.wait_incident()
    alert = patient.phone.wait("alert")
    trouble(daemon, alert)
    patient.server.behave = HEALTHY
    patient.watched.wait_stage(incident, "RESOLVED")
    patient.phone.wait("recovered")

    secrets = spelt(ADMIN_KEY, ALERT_SECRET, SERVICE_SECRET, SECRET, token_of(alert))
    secrets |= spelt(patient.watched.api_key)
    answers = "".join(answered(daemon, patient, incident))
    assert [s for s in secrets if s in answers] == []
    assert daemon.stop() == 0
    assert [s for s in secrets if s in daemon.output] == []
    assert [(f.name, s) for f in daemon.data.iterdir() for s in secrets if s.encode() in f.read_bytes()] == []


def trouble(daemon: Daemon, alert: dict[str, object]) -> None:
    """Requests that tempt an error message to quote what it was given."""
    token = token_of(alert)
    path = "/action/recover"
    assert daemon.ask("GET", f"{path}?token={token}", key=None).status == 200
    assert daemon.ask("POST", f"{path}/confirm?token={token}x", key=None).status == 401
    assert daemon.ask("POST", f"{path}/confirm", key=token).status == 200
    assert daemon.ask("POST", f"{path}/confirm", key=token).status == 409
    wrong = {"service_name": 7, "service_secret": SERVICE_SECRET, "admin": ADMIN_KEY}
    refused = daemon.ask("POST", "/onboard", json=wrong)
    assert refused.status == 422
    assert not any(s in str(refused.body) for s in spelt(SERVICE_SECRET, ADMIN_KEY))
    assert daemon.ask("GET", "/status", key=ADMIN_KEY[:-1]).status == 401


def answered(daemon: Daemon, patient: Patient, incident: str) -> list[str]:
    tenant = patient.watched.tenant
    paths = ("/health", "/status", f"/tenant/{tenant}", f"/tenant/{tenant}/contacts")
    more = (f"/tenant/{tenant}/incidents", f"/audit/{incident}", f"/delivery/{incident}", "/openapi.json")
    return [str(daemon.get(path).body) for path in (*paths, *more)]


def spelt(*secrets: str) -> set[str]:
    """Each as it is, in base64 and as a webhook key."""
    plain = {s.removeprefix("whsec_") for s in secrets}
    return plain | {base64.b64encode(s.encode()).decode().rstrip("=") for s in plain}


def test_a_signature_is_of_the_service_s_own_secret(admit: Admit) -> None:
    patient = admit(HEALTHY, service_secret=SERVICE_SECRET)
    server: Server = patient.server
    signed = wait_for(lambda: [r for r in server.requests if "webhook-signature" in r.headers], "a poll")

    assert signed[0].headers["webhook-signature"].startswith("v1,")
    assert len({r.headers["webhook-id"] for r in signed}) == len(signed)
    assert SERVICE_SECRET not in str(signed)
