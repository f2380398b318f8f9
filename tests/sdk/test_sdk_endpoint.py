"""The endpoint: open report, signed evidence, signed recovery hooks that run once."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from sdk_asgi import request

from fastapi_alertengine import instrument
from fastapi_alertengine.recovery import KEPT, Recoveries, Recovery
from fastapi_alertengine.signing import Signer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOKS = "/health/alerts/recovery"


class Signed:
    """An app with hooks, and somebody who holds the secret."""

    def __init__(self, secret=SECRET):
        self.app = FastAPI()
        self.monitor = instrument(self.app, secret=secret)
        self.signer = Signer(SECRET)
        self.ran = []
        self.number = 0

    async def ask(self, path, method="GET", body=b"", message_id=None, at=None, signer=None):
        self.number += 1
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        message_id = message_id or f"msg_{self.number}"
        headers = (signer or self.signer).headers(message_id, int(at or time.time()), raw)
        return await request(self.app, path, method, raw, headers)


@pytest.fixture
def signed():
    signed = Signed()

    @signed.monitor.recovery("restart-pool", preview=lambda: "would close 3 connections")
    def restart_pool():
        """Closes all pooled connections.

        New ones are opened on demand.
        """
        signed.ran.append("pool")
        return {"closed": 3}

    @signed.monitor.recovery("broken")
    async def broken():
        signed.ran.append("broken")
        raise RuntimeError("no such pool")

    return signed


@pytest.fixture
async def stuck_threads():
    """The loop's own threads are all busy, as in an app that needs help."""
    pool, over = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(pool)
    pool.submit(over.wait)
    yield
    over.set()


async def test_report_and_summary_are_open_and_always_200(signed):
    report = await request(signed.app, "/health/alerts")
    assert (report.status, report.headers[b"content-type"]) == (200, b"application/json")
    summary = (await request(signed.app, "/health/alerts?view=summary")).json()
    assert summary == {"health_score": 100, "p95_latency_ms": 0, "error_rate": 0.0, "alerts": []}


async def test_head_and_other_methods(signed):
    assert (await request(signed.app, "/health/alerts", "HEAD")).body == b""
    assert (await request(signed.app, "/health/alerts", "DELETE")).status == 405


async def test_own_health_path():
    app = FastAPI()
    instrument(app, health_path="/internal/health/")
    assert (await request(app, "/internal/health")).status == 200
    assert (await request(app, "/health/alerts")).status == 404


async def test_evidence_only_when_signed(signed):
    assert "evidence" not in (await request(signed.app, "/health/alerts?evidence=1")).json()
    stranger = Signer("another secret")
    assert "evidence" not in (await signed.ask("/health/alerts?evidence=1", signer=stranger)).json()
    assert "evidence" in (await signed.ask("/health/alerts?evidence=1")).json()
    assert "evidence" not in (await signed.ask("/health/alerts")).json()


async def test_hooks_are_listed(signed):
    assert (await signed.ask(HOOKS)).json() == {
        "recoveries": [
            {"name": "restart-pool", "description": "Closes all pooled connections.", "has_preview": True},
            {"name": "broken", "description": "", "has_preview": False},
        ]
    }


async def test_preview_has_no_side_effect(signed):
    answer = await signed.ask(HOOKS + "/restart-pool?dry_run=1", "POST")
    assert answer.json() == {"name": "restart-pool", "dry_run": True, "preview": "would close 3 connections"}
    assert (await signed.ask(HOOKS + "/broken?dry_run=1", "POST")).json()["preview"] is None
    assert signed.ran == []


async def test_an_order_runs_once_however_often_it_comes(signed, stuck_threads):
    order = {"execution_id": "ex-1", "incident_id": "i", "tenant_id": "t", "action": "restart-pool"}
    first = (await signed.ask(HOOKS + "/restart-pool", "POST", order)).json()
    assert {**first, "duration_s": 0} == {
        "name": "restart-pool",
        "execution_id": "ex-1",
        "status": "succeeded",
        "result": {"closed": 3},
        "duration_s": 0,
    }
    again = (await signed.ask(HOOKS + "/restart-pool", "POST", order)).json()
    assert again == {**first, "replayed": True}
    assert signed.ran == ["pool"]


async def test_without_execution_id_the_message_id_names_the_order(signed):
    for _ in range(2):
        answer = await signed.ask(HOOKS + "/restart-pool", "POST", message_id="msg_same")
        assert answer.json()["execution_id"] == "msg_same"
        for _ in range(KEPT):  # however many others come in between, while its signature is good
            await signed.ask(HOOKS + "/broken", "POST")
    assert signed.ran.count("pool") == 1


def test_what_is_remembered_of_old_orders_is_bounded(monkeypatch):
    async def many():
        orders = Recoveries()
        for i in range(KEPT + 20):
            await orders.order(Recovery("x", asyncio.Event().set, None), str(i))
        return len(orders._orders)

    monkeypatch.setattr("fastapi_alertengine.recovery.KEPT_S", -1.0)
    assert asyncio.run(many()) <= KEPT + 1


async def test_a_failure_is_told_and_not_repeated(signed):
    @signed.monitor.recovery("cancels")
    async def cancels():
        worker = asyncio.ensure_future(asyncio.Event().wait())
        worker.cancel()
        await worker

    assert (await signed.ask(HOOKS + "/cancels", "POST")).json()["error"] == "CancelledError: "
    order = {"execution_id": "ex-2"}
    answer = await signed.ask(HOOKS + "/broken", "POST", order)
    assert answer.status == 500
    assert answer.json() == {
        "name": "broken",
        "execution_id": "ex-2",
        "status": "failed",
        "error": "RuntimeError: no such pool",
    }
    assert (await signed.ask(HOOKS + "/broken", "POST", order)).json()["replayed"] is True
    assert signed.ran == ["broken"]


async def test_an_order_that_comes_again_while_it_runs_waits_for_the_first(signed):
    go = asyncio.Event()

    @signed.monitor.recovery("slow")
    async def slow():
        signed.ran.append("slow")
        await go.wait()
        return 1

    order = {"execution_id": "ex-3"}
    first = asyncio.create_task(signed.ask(HOOKS + "/slow", "POST", order))
    second = asyncio.create_task(signed.ask(HOOKS + "/slow", "POST", order))
    while not signed.ran:
        await asyncio.sleep(0)
    go.set()
    answers = [(await task).json() for task in (first, second)]
    assert sorted(answer.get("replayed", False) for answer in answers) == [False, True]
    assert signed.ran == ["slow"]


async def test_a_caller_that_hangs_up_does_not_stop_the_action(signed):
    go, done = asyncio.Event(), asyncio.Event()

    @signed.monitor.recovery("slow")
    async def slow():
        await go.wait()
        done.set()

    caller = asyncio.create_task(signed.ask(HOOKS + "/slow", "POST"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    go.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_what_is_not_json_comes_back_as_text(signed):
    signed.monitor.recovery("odd")(lambda: object)
    answer = await signed.ask(HOOKS + "/odd", "POST")
    assert answer.json()["result"] == "<class 'object'>"


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        (HOOKS + "/unknown", "POST", b"", 404),
        (HOOKS + "/restart-pool", "GET", b"", 405),
        (HOOKS + "/restart-pool", "POST", b"[1]", 400),
        (HOOKS + "/restart-pool", "POST", b"{", 400),
        (HOOKS + "/restart-pool", "POST", {"action": "broken"}, 400),
        (HOOKS + "/restart-pool", "POST", {"dry_run": True}, 400),
        (HOOKS + "/restart-pool?dry_run=1", "POST", {"dry_run": False}, 400),
        (HOOKS + "/restart-pool", "POST", b"x" * 70_000, 413),
    ],
)
async def test_wrong_orders_are_refused_and_run_nothing(signed, path, method, body, status):
    assert (await signed.ask(path, method, body)).status == status
    assert signed.ran == []


@pytest.mark.parametrize("offset", [-301, 301])
async def test_old_and_early_signatures_are_refused(signed, offset):
    assert (await signed.ask(HOOKS, at=time.time() + offset)).status == 401


async def test_unsigned_and_wrongly_signed_calls_are_refused(signed):
    assert (await request(signed.app, HOOKS)).status == 401
    assert (await signed.ask(HOOKS, signer=Signer("wrong"))).status == 401


async def test_a_signature_for_one_address_is_not_good_for_another(signed):
    assert (await signed.ask(HOOKS + "/restart-pool?dry_run=1", "POST", message_id="msg_a")).status == 200
    assert (await signed.ask(HOOKS + "/restart-pool", "POST", message_id="msg_a")).status == 401
    assert signed.ran == []


async def test_without_a_secret_there_are_no_hooks(signed):
    app = FastAPI()
    instrument(app)
    headers = signed.signer.headers("msg_1", int(time.time()), b"")
    assert (await request(app, HOOKS, headers=headers)).status == 404


async def test_the_secret_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("ALERTENGINE_SECRET", SECRET)
    assert (await Signed(secret=None).ask(HOOKS)).status == 200


async def test_remembered_message_ids_are_bounded(signed, monkeypatch):
    monkeypatch.setattr("fastapi_alertengine.endpoint.SEEN", 10)
    for _ in range(30):
        await signed.ask(HOOKS)
    endpoint = signed.app.middleware_stack
    while not hasattr(endpoint, "endpoint"):
        endpoint = endpoint.app
    assert len(endpoint.endpoint._ids) <= 12
