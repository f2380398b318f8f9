"""Real servers with several workers: they agree, one may be killed, and nothing is left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytestmark = pytest.mark.slow

APP = """
import os
from fastapi import FastAPI
from fastapi_alertengine import instrument

app = FastAPI()
instrument(app, service="several")
app.get("/pid")(lambda: os.getpid())
"""
UVICORN = ["uvicorn", "several:app", "--workers", "3", "--log-level", "error", "--port"]
GUNICORN = ["gunicorn", "several:app", "-w", "3", "-k", "asgi", "--log-level", "critical", "-b"]


class Server:
    """`argv` on a port of its own; each request opens a connection, so that any worker may answer."""

    def __init__(self, argv, folder):
        (folder / "several.py").write_text(APP)
        self.rings = folder / "rings"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        bind = f"127.0.0.1:{self.port}" if argv is GUNICORN else str(self.port)
        env = {
            **os.environ,
            "ALERTENGINE_STORAGE": "shared",
            "ALERTENGINE_SHARED_DIR": str(self.rings),
            "ALERTENGINE_STATE": "off",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", *argv, bind], cwd=folder, env=env, stderr=subprocess.DEVNULL
        )

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def up(self):
        try:
            return self.get("/health/alerts")["workers"] == 3
        except OSError:
            return False

    def agree(self, n, workers):
        told = [self.get("/health/alerts") for _ in range(12)]
        return all(one["metrics"]["sample_size"] == n and one["workers"] in workers for one in told)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) is not None


def until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.parametrize("argv", [UVICORN, GUNICORN], ids=["uvicorn, spawned", "gunicorn, forked"])
def test_workers_agree_and_survive_one_that_is_killed(argv, tmp_path):
    pytest.importorskip(argv[0])
    server = Server(argv, tmp_path)
    try:
        until(server.up)
        pids = [server.get("/pid") for _ in range(40)]
        assert len(set(pids)) > 1
        until(lambda: server.agree(40, {3}))
        os.kill(pids[0], signal.SIGKILL)
        until(lambda: server.agree(40, {2, 3}))  # the one that takes its place knows the minute too
    finally:
        server.stop()
    assert not server.rings.exists()
