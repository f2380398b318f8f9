"""A restart does not forget what is usual; and nothing is written where nothing was learnt."""

import asyncio
import json

import pytest
from fastapi import FastAPI
from sdk_asgi import Clock, request

from fastapi_alertengine import Monitor, instrument, state


def learnt(minutes=5):
    clock = Clock()
    monitor = Monitor(now=clock)
    for i in range(minutes * 600):
        clock.t += 0.1
        monitor.record("/x", "GET", 200, 0.02 + i % 10 * 0.001)
    return monitor, clock


MEMORY = '{"counts":[[9,20]],"errors":0,"refused":0,"weight":20}'
LEARNT = (
    f'{{"format":1,"at":0,"service":{MEMORY},'
    f'"routes":[{{"method":"GET","route":"/x","hours":{MEMORY},"day":{MEMORY},"peak":0}}]}}'
)


def cell(monitor):
    return next(cell for cell in monitor.cells if cell.label == "GET /x")


def test_a_snapshot_brings_back_what_is_usual():
    monitor, _ = learnt()
    fresh = Monitor(now=Clock())
    told = json.loads(json.dumps(state.snapshot(monitor, 1000.0)))
    assert state.restore(fresh, told, 1000.0)
    assert cell(fresh).bounds == cell(monitor).bounds
    assert cell(fresh).usual.weight == pytest.approx(cell(monitor).usual.weight, rel=0.001)


def test_it_ages_while_nobody_runs():
    monitor, _ = learnt()
    fresh = Monitor(now=Clock())
    state.restore(fresh, state.snapshot(monitor, 0.0), 90 * 60.0)
    assert cell(fresh).usual.hours.weight == pytest.approx(cell(monitor).usual.hours.weight / 2, rel=0.01)


def test_a_slow_release_after_a_restart_is_found(tmp_path):
    monitor, _ = learnt()
    path = tmp_path / "usual.json"
    state.State(monitor, path).save()
    clock = Clock(5000.0)
    fresh = Monitor(now=clock)
    state.State(fresh, path).load()
    found = None
    for _ in range(600):
        clock.t += 0.1
        fresh.record("/x", "GET", 200, 0.08)
        if found is None and fresh.report()["status"] == "critical":
            found = clock.t - 5000
    assert 30 <= found <= 40


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 9}',
        '{"format":1,"at":"x"}',
        "\0",
        "[" * 100_000,
        '{"format":1,"at":1' + "0" * 400 + "}",
        LEARNT.replace('"weight":20', '"weight":NaN'),
        LEARNT.replace('"peak":0', '"peak":"high"'),
    ],
)
def test_what_cannot_be_read_is_left_out(tmp_path, content):
    path = tmp_path / "usual.json"
    path.write_text(content)
    monitor = Monitor(now=Clock())
    state.State(monitor, path).load()
    assert monitor.report()["status"] == "ok"
    assert not any(cell.usual.weight for cell in monitor.cells)


def test_nothing_is_written_in_the_first_two_minutes(tmp_path):
    monitor, _ = learnt(minutes=1)
    state.State(monitor, tmp_path / "usual.json").save()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "file").write_text("")
    monitor, _ = learnt()
    state.State(monitor, tmp_path / "file" / "usual.json").save()


def test_where_it_is_kept(monkeypatch, tmp_path):
    assert state.default_path("s") is None  # the suite switches it off
    monkeypatch.setenv("ALERTENGINE_STATE", str(tmp_path))
    assert state.default_path("s").parent == tmp_path
    assert state.default_path("s") != state.default_path("t")
    monkeypatch.delenv("ALERTENGINE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state.default_path("s").parent == tmp_path / "alertengine"
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert state.default_path("s") is None


async def test_an_app_saves_when_it_shuts_down(monkeypatch, tmp_path):
    monkeypatch.setenv("ALERTENGINE_STATE", str(tmp_path))
    app = FastAPI()
    app.get("/x")(lambda: 1)
    monitor = instrument(app)
    monitor.now = clock = Clock()
    inbox, sent = asyncio.Queue(), asyncio.Queue()
    inbox.put_nowait({"type": "lifespan.startup"})
    task = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, sent.put)
    )
    await sent.get()
    for _ in range(50):
        clock.t += 5
        await request(app, "/x")
    inbox.put_nowait({"type": "lifespan.shutdown"})
    await task
    (kept,) = tmp_path.glob("usual-*.json")
    assert json.loads(kept.read_text())["routes"][0]["route"] == "/x"
