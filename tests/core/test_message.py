"""What a person reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import fold
from alertengine.core.language import LANGUAGES, words
from alertengine.core.letter import Letter, compose
from alertengine.core.message import Message, MessageKind, may_ask
from alertengine.core.snapshot import read_report
from alertengine.core.trouble import symptom
from alertengine.testing import RESTART_POOL, START, TARIRO, detected, diagnosed, make_events, make_incident

REPORT = Path(__file__).parents[1] / "contract" / "health_report.json"
"""What the SDK reports."""
URL = "http://127.0.0.1:9000/action/recover?token=t"
AUTHORIZED = NewEvent(
    type=EventType.RECOVERY_AUTHORIZED,
    actor=TARIRO,
    data={"execution_id": "exe_1", "action": RESTART_POOL.to_json(), "round": 1},
)
ENDED = [
    AUTHORIZED,
    NewEvent(type=EventType.RECOVERY_STARTED, data={"execution_id": "exe_1", "boot": "b"}),
    NewEvent(type=EventType.RECOVERY_SUCCEEDED, data={"execution_id": "exe_1", "detail": "done"}),
    NewEvent(type=EventType.INCIDENT_RESOLVED, data={}),
]


def letter(**changes: object) -> Letter:
    given: dict[str, object] = {
        "recipient": "Tariro",
        "now": START,
        "queued_at": START,
        "url": URL,
        "valid_until": START + timedelta(minutes=5),
        "anchor": "4711 CsUYapGGXX=",
    }
    return Letter(**(given | changes))  # type: ignore[arg-type]


def alert() -> Message:
    return compose(MessageKind.ALERT, make_incident(), letter())


def test_an_alert_says_what_how_bad_why_what_next_and_where_in_this_order() -> None:
    text = alert().text
    parts = [
        "payments: POST /pay is failing",
        "61 % of requests to POST /pay fail (usual 0.2 %)",
        "03:03 UTC",
        "Likely: database connections are used up",
        "92 % sure, rules",
        "Proposed: restart-pool",
        "recycle the connection pool",
        URL,
        "For Tariro, valid until 03:09:05 UTC",
        "log 4711 CsUYapGGXX=",
    ]
    places = [text.find(part) for part in parts]

    assert -1 not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places)


def test_nothing_that_an_app_calls_itself_becomes_a_link() -> None:
    offered = replace(
        RESTART_POOL, kind="app", name="restart.evil.com", description="confirm at https://evil.example/ok"
    )
    incident = replace(make_incident(), action=offered)
    text = compose(MessageKind.ALERT, incident, letter()).text.replace(URL, "")
    assert "restart[.]evil[.]com" in text
    assert "https://" not in text


def test_what_is_not_known_is_said_as_not_known() -> None:
    incident = fold(make_events(detected(), diagnosed(cause="unclear", summary="Nothing stands out.")))
    assert "not clear yet" in compose(MessageKind.ALERT, incident, letter()).text


def test_without_a_recovery_the_message_says_so_and_asks_nothing() -> None:
    incident = fold(make_events(detected(), diagnosed(None)))

    assert not may_ask(MessageKind.ALERT, incident)
    assert "No recovery is configured" in compose(MessageKind.ALERT, incident, letter(url=None)).text


@pytest.mark.parametrize("kind", list(MessageKind))
def test_every_kind_has_words_and_a_footer(kind: MessageKind) -> None:
    message = compose(kind, make_incident(*ENDED), letter())

    assert message.title.strip()
    assert "For Tariro" in message.footer
    assert message.to_json()["type"] == f"incident.{kind}"
    assert message.to_json()["text"] == message.text


def test_the_json_has_what_the_contract_names() -> None:
    assert alert().to_json().keys() >= {
        *("type", "incident_id", "tenant_id", "service", "severity", "title", "text", "url"),
    }


def test_only_what_can_still_be_decided_asks() -> None:
    assert may_ask(MessageKind.ALERT, make_incident())
    assert not may_ask(MessageKind.ALERT, make_incident(*ENDED))
    assert not may_ask(MessageKind.RECOVERED, make_incident())


def test_a_test_is_marked_as_a_test() -> None:
    incident = fold(make_events(detected(is_test=True), diagnosed()))
    assert "TEST" in compose(MessageKind.ALERT, incident, letter()).title


def test_a_late_message_tells_its_delay_and_how_it_is_now() -> None:
    late = letter(now=START + timedelta(minutes=12), url=None)
    message = compose(MessageKind.ALERT, make_incident(*ENDED), late)

    assert "(delayed 12 min)" in message.title
    assert "it is over" in message.text


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_is_told_in_every_language(kind: MessageKind, code: str) -> None:
    message = compose(kind, make_incident(*ENDED), letter(words=words(code)))

    assert "{" not in message.text
    assert message.words.code == code
    assert (
        code == "en"
        or message.body == ()
        or message.body != compose(kind, make_incident(*ENDED), letter()).body
    )


def test_figures_are_told_in_the_language_and_names_are_not() -> None:
    figures = {"symptom": "error_anomaly", "route": "POST /pay", "value": 0.61, "usual": 0.002}
    incident = fold(make_events(detected(figures=figures), diagnosed()))
    message = compose(MessageKind.ALERT, incident, letter(words=words("pt")))

    assert message.title == "🔴 payments: POST /pay está a falhar"
    assert message.body[0] == "61 % dos pedidos falham, normalmente 0,2 %, desde as 03:03 UTC."
    assert message.body[2] == "Medido: waiting for a db connection: 1.3 s at P95 (usual 0 ms)."
    assert "“recycle the connection pool”" in message.body[3]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("error_anomaly", "100 % dos pedidos falham, normalmente 0,04 %"),
        ("latency_spike", "os 5 % mais lentos demoram mais de 501 ms, normalmente 83 ms"),
    ],
)
def test_what_the_sdk_measured_is_told_in_the_language(kind: str, said: str) -> None:
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    report["alerts"] = [alert for alert in report["alerts"] if alert["type"] == kind]
    seen = read_report(START, report)
    figures = {"symptom": seen.symptom, "route": seen.route, "value": seen.value, "usual": seen.usual}
    incident = fold(make_events(detected(figures=figures), diagnosed()))

    assert symptom(incident.detected, words("pt")) == said
