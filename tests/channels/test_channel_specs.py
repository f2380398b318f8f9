"""What is sent and how refusals are read, against the providers' published contracts where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from alertengine.channels import exchange, slack, telegram, twilio, whatsapp_sent
from alertengine.errors import Fault
from alertengine.signing import webhook_verified
from channels.benches import BENCHES, opened
from channels.letters import KEY, alert, hostile, recovered

SPECS = Path(__file__).parents[3] / "shared" / "specs"
pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason="the providers' contracts are not beside this checkout"
)

FAULTS = {
    "retry": Fault.RETRY,
    "permanent_recipient": Fault.RECIPIENT,
    "permanent_config": Fault.CONFIG,
    "use_template": Fault.TEMPLATE,
    "wait_long": Fault.EXHAUSTED,
    "unknown_outcome": Fault.UNKNOWN,
}


def spec(name: str) -> Any:
    return json.loads((SPECS / name).read_text())


async def sent_bodies(bench: str) -> list[Any]:
    """The requests that a channel makes for an alert, a hostile one and an update."""
    async with opened(BENCHES[bench], "https://alerts.example.com") as opened_bench:
        for message in (alert(), hostile(), recovered()):
            await opened_bench.channel.send(opened_bench.contact, message, KEY + message.kind)
        return list(opened_bench.server.requests)


@pytest.mark.parametrize(
    ("bench", "schema"),
    [
        ("slack", "slack_message.schema.json"),
        ("slack_bot", "slack_message.schema.json"),
        ("pagerduty", "pagerduty_events_v2.schema.json"),
        ("teams", "teams_workflow_message.schema.json"),
    ],
)
async def test_bodies_are_valid_by_schema(bench: str, schema: str) -> None:
    for request in await sent_bodies(bench):
        jsonschema.validate(request.json(), spec(schema))


async def test_bodies_for_sent_are_valid_by_its_openapi() -> None:
    schema = spec("sent_v3.openapi.json")["components"]["schemas"]["SendMessage"]
    for request in await sent_bodies("whatsapp_sent"):
        jsonschema.validate(request.json(), schema)
        assert request.json().keys() <= schema["properties"].keys()


async def test_bodies_for_telegram_have_known_fields_of_the_right_type() -> None:
    fields = {
        f["name"]: f["types"] for f in spec("telegram_bot_api.json")["methods"]["sendMessage"]["fields"]
    }
    kinds = {
        "String": str,
        "Integer": int,
        "Boolean": bool,
        "LinkPreviewOptions": dict,
        "InlineKeyboardMarkup": dict,
    }
    for request in await sent_bodies("telegram"):
        for name, value in request.json().items():
            assert isinstance(value, tuple(kinds[t] for t in fields[name] if t in kinds)), name


@pytest.mark.parametrize(("bench", "resource"), [("whatsapp_twilio", "Messages"), ("voice_twilio", "Calls")])
async def test_forms_for_twilio_are_valid_by_its_openapi(bench: str, resource: str) -> None:
    paths = spec("twilio_api_v2010.messages_calls.json")["paths"]
    operation = paths[f"/2010-04-01/Accounts/{{AccountSid}}/{resource}.json"]["post"]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    properties = schema["properties"]
    for request in await sent_bodies(bench):
        for name, value in request.form:
            kind = properties[name].get("type", "string")
            if kind == "string":
                jsonschema.validate(value, properties[name])
            assert kind in ("string", "array") or value.isdigit()


def classes(provider: str) -> dict[str, Fault]:
    table = spec("error_classes.json")[provider]
    return {code: FAULTS[row["class"]] for code, row in table.items() if ":" not in code and "api" not in row}


def test_twilios_errors_are_taken_for_what_they_are() -> None:
    for code, fault in classes("twilio").items():
        found, reason = twilio.classified(int(code))
        assert (found or exchange.by_status(400)) is fault, code
        assert code in reason


def test_sents_errors_are_taken_for_what_they_are() -> None:
    for code, fault in classes("sent").items():
        assert whatsapp_sent.classified(code)[0] is fault, code


def test_telegrams_errors_are_taken_for_what_they_are() -> None:
    for row in spec("error_classes.json")["telegram"]:
        found, _ = telegram.classified(row["http"], row["match"])
        if "resend without" in row.get("hint", ""):
            assert found is Fault.TEMPLATE, row
        elif row["class"] in ("permanent_config", "permanent_recipient") and row["http"] != 409:
            assert found is FAULTS[row["class"]], row


@pytest.mark.parametrize("table", ["slack_webhook", "slack_web_api"])
def test_slacks_errors_are_taken_for_what_they_are(table: str) -> None:
    for word, fault in classes(table).items():
        if not word.startswith("HTTP"):
            assert slack.FAULTS[word] is fault, word


def test_calls_are_signed_as_the_published_vectors_are() -> None:
    vectors = spec("signature_vectors.json")
    for name in ("twilio_form_hmac_sha1", "twilio_form_unicode_blank"):
        vector = vectors[name]
        form = list(vector["params"].items())
        assert twilio.signature(vector["auth_token"], vector["url"], form) == vector["signature"]
    one = vectors["slack_v0"]
    assert (
        slack.signature(one["signing_secret"], one["timestamp"], one["raw_body"].encode()) == one["signature"]
    )
    one = vectors["sent_v1"]
    headers = {name.removeprefix("x-"): value for name, value in one["headers"].items()}
    headers["webhook-signature"] = one["x-webhook-signature"]
    assert webhook_verified(one["secret"], headers, one["body"].encode(), 1764000000)
