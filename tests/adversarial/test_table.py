"""The adversarial audit as a table: each row over real HTTP, against the real daemon, with its figure."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from harness import Answer, Patient, read, token_of
from stage import CRITICAL, HEALTHY, say, wait_for

from adversarial.conftest import Arena
from alertengine.datadir import DataDir
from alertengine.errors import DataDirectoryHeld
from alertengine.signing import webhook_headers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("adversarial")]


def at_once(times: int, do: Callable[[], Answer]) -> list[Answer]:
    """`do` from as many threads, which all begin at the same moment."""
    ready = threading.Barrier(times)

    def one(_: int) -> Answer:
        ready.wait(20)
        return do()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def fall_ill(patient: Patient) -> tuple[str, dict[str, Any]]:
    """Its incident and the message about it."""
    patient.watched.wait_health("ok")
    patient.server.behave = CRITICAL
    return patient.watched.wait_incident(), patient.phone.wait("alert")


def test_row_1_and_11_a_foreign_trail_is_403_always(arena: Arena, victim: Patient, attacker: Patient) -> None:
    incident, _ = fall_ill(victim)
    mine, theirs = attacker.watched, victim.watched
    paths = [
        *(f"/audit/{i}{q}" for i in (incident, "inc_none") for q in ("", f"?tenant_id={theirs.tenant}")),
        *(f"/audit/{incident}?tenant_id={mine.tenant}", f"/tenant/{theirs.tenant}", "/tenant/ten_none"),
        *(f"/tenant/{theirs.tenant}/{part}" for part in ("incidents", "contacts", "services", "keys")),
    ]
    answers = [arena.ask("GET", path, mine.api_key) for path in paths]

    assert Counter(a.status for a in answers) == {403: len(paths)}
    assert len({str(a.body) for a in answers}) == 1
    assert arena.ask("GET", f"/audit/{incident}", theirs.api_key).status == 200


def test_row_2_foreign_deliveries_are_403(arena: Arena, victim: Patient, attacker: Patient) -> None:
    incident, _ = fall_ill(victim)
    foreign = arena.ask("GET", f"/delivery/{incident}", attacker.watched.api_key)
    unknown = arena.ask("GET", "/delivery/inc_none", attacker.watched.api_key)

    assert (foreign.status, unknown.status) == (403, 403)
    assert foreign.body == unknown.body
    assert arena.ask("GET", f"/delivery/{incident}", victim.watched.api_key).body["attempts"]


def test_row_3_and_12_of_20_replays_at_once_1_succeeds_and_19_are_told_what_it_did(
    arena: Arena, victim: Patient
) -> None:
    incident, alert = fall_ill(victim)
    answers = at_once(20, lambda: arena.daemon.link("confirm", alert))

    assert Counter((a.status, a.code) for a in answers) == {(200, None): 1, (409, "TOKEN_USED"): 19}
    assert all(a.body["execution"]["id"] for a in answers)
    victim.watched.wait_event(incident, "recovery_succeeded")
    assert len(arena.scripts.runs(incident)) == 1
    for spelt in (token_of(alert) + "=", token_of(alert) + "==", token_of(alert) + "%3D"):
        again = arena.daemon.ask("POST", f"/action/recover/confirm?token={spelt}", key=None)
        assert again.code == "TOKEN_INVALID"
    arena.daemon.restart()
    assert arena.daemon.link("confirm", alert).code == "TOKEN_USED"


def test_row_4_a_race_to_detect_opens_exactly_1_incident(arena: Arena) -> None:
    """The service itself pushes as fast as it can while it is polled: one incident a service all the same."""
    secret = "the-secret-of-the-sdk"
    patient = arena.patient(service_secret=secret)
    patient.watched.wait_health("ok")
    patient.server.behave = CRITICAL
    path = f"/push/{patient.watched.tenant}/{patient.watched.service_id}"

    def push() -> Answer:
        headers = webhook_headers(secret, secrets.token_hex(8), int(time.time()), b"{}")
        with closing(HTTPConnection("127.0.0.1", arena.daemon.port, timeout=20)) as connection:
            connection.request("POST", path, b"{}", headers)
            return read(connection.getresponse())

    assert {a.status for a in at_once(20, push)} == {202}
    patient.watched.wait_incident()
    patient.phone.wait("alert")
    assert len(patient.watched.incidents()) == 1


def test_row_5_and_16_of_50_at_once_1_authorizes_and_it_runs_once(arena: Arena, victim: Patient) -> None:
    incident, alert = fall_ill(victim)
    answers = at_once(50, lambda: arena.daemon.link("confirm", alert))

    assert Counter(a.status for a in answers) == {200: 1, 409: 49}
    victim.watched.wait_event(incident, "recovery_succeeded")
    assert len(arena.scripts.runs(incident)) == 1
    assert victim.watched.types(incident).count("recovery_authorized") == 1


def test_row_6_and_13_a_natural_incident_is_found_within_5_seconds_with_its_severity(
    arena: Arena, victim: Patient
) -> None:
    victim.watched.wait_health("ok")
    victim.server.behave = CRITICAL
    victim.watched.wait_incident(within_s=5)
    [row] = victim.watched.incidents()

    assert row["severity"] == "critical"
    assert victim.phone.wait("alert", within_s=5)["severity"] == "critical"


def test_row_7_and_20_whatsapp_is_delivered_with_a_link_that_authorizes(arena: Arena) -> None:
    number = "+263771234567"
    patient = arena.patient(contacts=[], whatsapp_numbers=[number], actions=["ok"])
    watched = patient.watched

    def texts() -> list[dict[str, Any]]:
        return [m for m in arena.twilio.messages.values() if m["To"] == f"whatsapp:{number}"]

    code = wait_for(lambda: [m for m in texts() if "code" in m.get("Body", "")], "a code")[0]["Body"]
    digits = "".join(c for c in code.split("code is")[1] if c.isdigit())[:6]
    assert arena.ask("POST", "/verify", None, {"phone": number, "code": digits}).status == 200
    watched.wait_health("ok")
    patient.server.behave = CRITICAL
    incident = watched.wait_incident()
    told = wait_for(lambda: [m for m in texts() if "token=" in str(m)], "a link on WhatsApp")[0]
    token = str(told["Body"]).split("token=")[1].split()[0]

    assert watched.wait_event(incident, "alert_accepted")["data"]["channel"].startswith("whatsapp")
    assert arena.daemon.ask("POST", "/action/recover/confirm", key=None, form={"token": token}).status == 200
    assert watched.wait_event(incident, "recovery_authorized")["actor"]["kind"] == "contact"


def test_row_8_and_14_looking_and_deciding_are_on_record_and_the_record_is_sound(
    arena: Arena, victim: Patient
) -> None:
    incident, alert = fall_ill(victim)
    arena.daemon.ask("GET", f"/action/recover?token={token_of(alert)}", key=None)
    arena.daemon.link("confirm", alert)
    looked = victim.watched.wait_event(incident, "recovery_previewed")
    decided = victim.watched.wait_event(incident, "recovery_authorized")

    for event in (looked, decided):
        assert event["at"].endswith("Z")
        assert event["actor"]["name"] == "Tariro"
        assert len(event["data"]["token"]) == 16
    assert looked["data"]["token"] == decided["data"]["token"]
    trail = victim.watched.audit(incident)
    assert trail["tenant_id"] == victim.watched.tenant
    assert all(
        b["prev_hash"] == a["hash"] for a, b in zip(trail["events"], trail["events"][1:], strict=False)
    )
    assert token_of(alert) not in str(trail)


def test_row_9_a_channel_that_fails_is_a_degraded_mode_with_its_reason(arena: Arena, victim: Patient) -> None:
    victim.watched.wait_health("ok")
    victim.phone.script = [say(500) for _ in range(20)]
    victim.server.behave = CRITICAL
    incident = victim.watched.wait_incident()
    status = wait_for(
        lambda: (s := arena.daemon.status())["mode"] == "DEGRADED" and s, "the mode is DEGRADED", 40
    )

    assert status["reasons"]
    assert victim.watched.events(incident, "alert_failed")
    victim.phone.script.clear()


def test_row_10_one_daemon_holds_the_data_directory_whatever_the_load(arena: Arena, victim: Patient) -> None:
    data = DataDir(arena.daemon.data)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(arena.daemon.get, "/status") for _ in range(60)]
        for _ in range(50):
            with pytest.raises(DataDirectoryHeld), data.held():
                pass
        assert {a.result().status for a in asked} == {200}
    first = arena.daemon.process
    assert arena.daemon.begin().wait(20) == 75
    arena.daemon.process = first
    assert arena.daemon.get("/health").status == 200


def test_row_15_dead_letters_come_with_the_plan(arena: Arena) -> None:
    hobby = arena.patient(plan="hobby", actions=[])
    refused = arena.ask("GET", "/dlq", hobby.watched.api_key)

    assert (refused.status, refused.code) == (403, "PLAN_FEATURE_UNAVAILABLE")
    assert refused.body["upgrade_to"] == "startup"
    assert "startup" in refused.body["detail"]


def test_row_17_an_app_whose_redis_is_gone_is_measured_in_memory_and_never_fails(unused: int) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    sdk = pytest.importorskip("fastapi_alertengine")
    pytest.importorskip("redis")
    app = FastAPI()

    @app.get("/pay")
    async def pay() -> dict[str, bool]:
        return {"paid": True}

    sdk.instrument(app, redis_url=f"redis://127.0.0.1:{unused}/0")
    with TestClient(app) as client:
        assert {client.get("/pay").status_code for _ in range(50)} == {200}
        report = wait_for(
            lambda: (r := client.get("/health/alerts").json())["storage"]["state"] == "degraded" and r,
            "the report says so",
        )
    assert report["metrics"]["sample_size"] == 50


@pytest.fixture
def unused() -> Any:
    from stage import unused_port

    with unused_port() as held:
        yield held.getsockname()[1]


def test_row_18_the_number_of_incidents_is_counted_and_never_bypassed(arena: Arena) -> None:
    """The boundary itself is tested with a clock in the hand: tests/pipeline/test_quota.py."""
    hobby = arena.patient(plan="hobby", actions=[])
    watched = hobby.watched
    for number in range(1, 8):
        watched.wait_health("ok")
        hobby.server.behave = CRITICAL
        incident = watched.wait_incident(number)
        hobby.server.behave = HEALTHY
        watched.wait_stage(incident, "RESOLVED")
    quota = arena.ask("GET", f"/tenant/{watched.tenant}", watched.api_key).body["quota"]["incidents"]

    assert (quota["used"], quota["limit"]) == (7, 5)
    alerts = [m for m in hobby.phone.messages if m["type"] == "incident.alert"]
    assert len(alerts) == 6  # five, and the one a day past the number
    assert len(watched.incidents()) == 7


def test_row_19_what_a_plan_lacks_is_refused_with_the_plan_that_has_it(arena: Arena) -> None:
    hobby = arena.patient(plan="hobby", actions=[])
    made = arena.ask("POST", f"/tenant/{hobby.watched.tenant}/test", hobby.watched.api_key)
    assert made.status == 202
    named = hobby.watched.wait_event(made.body["incident_id"], "diagnosis_completed")
    assert named["data"]["source"] == "rules"  # no model for hobby

    body = {"thresholds": {"confirmations": 9}}
    path = f"/tenant/{hobby.watched.tenant}/services/{hobby.watched.service_id}"
    refused = arena.ask("PATCH", path, hobby.watched.api_key, body)
    assert (refused.status, refused.body["upgrade_to"]) == (403, "scale")
    for where, given in (("plan", {"plan": "enterprise"}), ("resume", None)):
        assert (
            arena.ask("POST", f"/tenant/{hobby.watched.tenant}/{where}", hobby.watched.api_key, given).status
            == 403
        )


def test_row_21_nothing_runs_without_a_human(arena: Arena, victim: Patient) -> None:
    incident, alert = fall_ill(victim)
    robots = ("GET", "HEAD", "OPTIONS")
    for _ in range(20):
        for method in robots:
            arena.daemon.ask(method, f"/action/recover?token={token_of(alert)}", key=None)
    made = arena.ask("POST", f"/tenant/{victim.watched.tenant}/test", victim.watched.api_key)
    assert made.body.keys() == {"incident_id"}

    types = victim.watched.types(incident)
    assert not {"recovery_authorized", "recovery_started", "recovery_succeeded"} & set(types)
    assert arena.scripts.runs(incident) == []
    assert arena.daemon.link("confirm", alert).status == 200
