"""HTTP recoveries: one signed request, and a true word on whether it may have run."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from alertengine.actions.http import Config, HttpAction
from alertengine.clock import SystemClock
from alertengine.core.model import ActionSpec, Service
from alertengine.errors import HttpError
from alertengine.http import Response
from alertengine.ports import Run

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TENANT_SECRET = "whsec_dGVuYW50LXNlY3JldC10ZW5hbnQtc2VjcmV0"
SERVICE = Service(id="svc_1", tenant_id="ten_1", name="payments", health_url="http://127.0.0.1:1/")
RUN = Run(execution_id="exe_1", incident_id="inc_1", tenant_id="ten_1", service=SERVICE)
URL = "https://ops.example/failover"


class Wire:
    """Keeps what is sent, and answers or fails as told."""

    def __init__(self, answer: Response | HttpError) -> None:
        self.answer = answer
        self.sent: list[dict[str, Any]] = []

    async def fetch(self, method: str, url: str, **more: Any) -> Response:
        self.sent.append({"method": method, "url": url, **more})
        if isinstance(self.answer, HttpError):
            raise self.answer
        return self.answer


def answer(status: int = 200, body: bytes = b"") -> Response:
    return Response(status=status, headers={}, body=body)


def action(wire: Wire, secret: str | None = SECRET) -> tuple[HttpAction, ActionSpec]:
    config = Config(kind="http", url=URL, preview_url=f"{URL}/preview", secret=secret)
    tools = SimpleNamespace(
        http=wire, clock=SystemClock(), tenant_secrets=lambda purpose, tenant: (TENANT_SECRET,)
    )
    params = config.model_dump(mode="json", exclude={"secret", "kind"})
    return HttpAction({"failover": config}, tools), ActionSpec(name="failover", kind="http", params=params)


@pytest.mark.parametrize(("own", "signs"), [(SECRET, SECRET), (None, TENANT_SECRET)])
async def test_a_run_is_one_signed_request_with_an_idempotency_key(own: str | None, signs: str) -> None:
    wire = Wire(answer())
    http, spec = action(wire, own)
    outcome = await http.execute(spec, RUN)

    [sent] = wire.sent
    assert (sent["method"], sent["url"], outcome.status) == ("POST", URL, "succeeded")
    assert Webhook(signs).verify(sent["body"], sent["headers"])["execution_id"] == "exe_1"
    assert sent["headers"]["webhook-id"] == sent["headers"]["idempotency-key"] == "exe_1"
    assert json.loads(sent["body"])["dry_run"] is False


async def test_a_preview_is_asked_for_as_such_elsewhere() -> None:
    wire = Wire(answer(body=b"would move 3 pods"))
    http, spec = action(wire)

    assert await http.preview(spec, RUN) == "would move 3 pods"
    [sent] = wire.sent
    assert sent["url"] == f"{URL}/preview"
    assert sent["headers"]["webhook-id"] != "exe_1"
    assert json.loads(sent["body"])["dry_run"] is True


@pytest.mark.parametrize("status", [300, 302, 400, 404, 429, 500, 503])
async def test_an_answer_that_is_no_success_is_a_failure(status: int) -> None:
    http, spec = action(Wire(answer(status, b"no capacity")))
    outcome = await http.execute(spec, RUN)

    assert (outcome.status, outcome.facts["http_status"]) == ("failed", status)
    assert outcome.facts["output"] == "no capacity"


@pytest.mark.parametrize(("sent", "status"), [(False, "failed"), (True, "unknown")])
async def test_no_answer_is_a_failure_only_where_nothing_was_sent(sent: bool, status: str) -> None:
    wire = Wire(HttpError("broken", "the connection broke", sent=sent))
    http, spec = action(wire)
    outcome = await http.execute(spec, RUN)

    assert outcome.status == status
    assert outcome.facts.get("ran") is (None if sent else False)
    assert len(wire.sent) == 1


async def test_a_secret_in_an_answer_is_not_kept() -> None:
    http, spec = action(Wire(answer(500, b"\x1b[31mfailed with password=hunter22")))
    output = (await http.execute(spec, RUN)).facts["output"]

    assert "hunter22" not in output
    assert "\x1b" not in output
