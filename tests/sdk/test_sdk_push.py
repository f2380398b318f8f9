"""The push: at once when health turns critical, again when it turns back, never in the way."""

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fastapi import FastAPI
from sdk_asgi import Clock, request
from starlette.responses import PlainTextResponse

from fastapi_alertengine import instrument
from fastapi_alertengine.push import Push
from fastapi_alertengine.signing import Signer


@pytest.fixture
def daemon():
    """A server that keeps what it is told."""
    told = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            told.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hooks/health", told
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_turns_are_pushed_and_signed(daemon):
    url, told = daemon
    signer = Signer("secret")
    push = Push(url, signer, "payments")
    for status, score in (
        ("ok", 99.0),
        ("critical", 12.0),
        ("critical", 9.0),
        ("warning", 80.0),
        ("ok", 99.0),
    ):
        push.turn(status, score, "2026-01-01T00:00:00Z")
    posts = [told.get(timeout=5), told.get(timeout=5)]
    assert told.empty()
    assert {json.loads(body)["status"] for _, body in posts} == {"critical", "warning"}
    assert json.loads(posts[0][1]).keys() == {"service", "status", "score", "at"}
    assert all(signer.valid(headers, body, time.time()) for headers, body in posts)


@pytest.mark.parametrize("polled", [False, True], ids=["nobody reads the report", "it is read all the time"])
async def test_it_is_told_within_seconds(daemon, polled):
    url, told = daemon
    app = FastAPI()
    monitor = instrument(app, push_url=url, service="payments")
    app.get("/pay")(lambda: PlainTextResponse("", 503 if clock.t >= began else 200))
    monitor.now = clock = Clock()
    *_, parts = app.user_middleware[0]
    ticker = parts["ticker"]
    ticker.start()
    began = clock.t + 190
    while monitor.health.status != "critical":
        clock.t += 0.1
        if polled:  # and before anybody else looks whether a second has passed
            await request(app, "/health/alerts")
        await request(app, "/pay")
    ticker.stop()
    assert clock.t - began < 6
    _, body = told.get(timeout=5)
    assert json.loads(body)["status"] == "critical"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://[::1", "http://"])
def test_a_daemon_that_is_nowhere_costs_nothing(url, capfd):
    Push(url, None, "s").turn("critical", 1.0, "now")
    for thread in threading.enumerate():
        if thread.name == "alertengine-push":
            thread.join(5)
            assert not thread.is_alive()
    assert capfd.readouterr() == ("", "")


def test_an_address_that_is_no_http_is_told():
    with pytest.warns(RuntimeWarning, match="push_url"):
        instrument(FastAPI(), push_url="file:///etc/passwd")
