"""What a request is counted as: its whole route, its status, its time to the last byte."""

import asyncio
import warnings
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from sdk_asgi import Clock, request, scope
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fastapi_alertengine import Monitor, instrument


def instrumented(app=None, **options):
    """An app on a clock that stands still unless the app turns it."""
    app = app or FastAPI()
    monitor = instrument(app, **options)
    monitor.now = clock = Clock()
    return app, monitor, clock


async def routes(app):
    report = (await request(app, "/health/alerts")).json()
    return {row["route"]: row for row in report["routes"]}


async def metrics(app):
    return (await request(app, "/health/alerts")).json()["metrics"]


async def test_routes_are_named_by_their_whole_template():
    app, _, _ = instrumented()
    inner, outer, sub = APIRouter(prefix="/v1"), APIRouter(prefix="/api"), FastAPI()

    @inner.get("/x/{i}")
    async def x(i: int):
        return i

    @sub.get("/s/{k}")
    async def s(k: int):
        return k

    outer.include_router(inner)
    app.include_router(outer, prefix="/root")
    app.mount("/shops/{shop}", sub)
    for path in ("/root/api/v1/x/1", "/root/api/v1/x/2", "/shops/7/s/1", "/shops/8/s/2", "/shops/8/none"):
        await request(app, path)
    rows = await routes(app)
    assert rows["GET /root/api/v1/x/{i}"]["sample_size"] == 2
    assert rows["GET /shops/{shop}/s/{k}"]["sample_size"] == 2
    assert rows["__unmatched__"]["client_error_rate"] == 1


async def test_unmatched_paths_and_ids_take_one_entry():
    app, _, _ = instrumented()
    app.get("/items/{i}")(lambda i: i)
    for i in range(50):
        await request(app, f"/items/{i}")
        await request(app, f"/nope/{i}")
        await request(app, "/items/1", method="PUT")
        await request(app, "/items/1", method=f"X{i}")
    rows = await routes(app)
    assert set(rows) == {"GET /items/{i}", "__unmatched__"}
    assert rows["__unmatched__"]["sample_size"] == 150


async def test_routes_are_bounded():
    app, _, _ = instrumented(config={"max_routes": 3})
    for i in range(6):
        app.get(f"/r{i}")(lambda: 1)
    for i in range(6):
        await request(app, f"/r{i}")
    rows = await routes(app)
    assert rows["__other__"]["sample_size"] == 3
    assert len(rows) == 4


async def test_plain_starlette_with_mounts_and_files(tmp_path):
    (tmp_path / "a.txt").write_text("a")

    async def page(request):
        return PlainTextResponse("x")

    inner = [Route("/p/{n}", page)]
    app, _, _ = instrumented(
        Starlette(
            routes=[
                Route("/", page),
                Mount("/in", routes=inner),
                Mount("/files", StaticFiles(directory=tmp_path)),
            ]
        )
    )
    for path in ("/", "/in/p/1", "/in/p/2", "/files/a.txt"):
        assert (await request(app, path)).status == 200
    assert set(await routes(app)) == {"GET /", "GET /in/p/{n}", "GET /files"}


async def test_head_is_its_own_route():
    async def page(request):
        return PlainTextResponse("x")

    app, _, _ = instrumented(Starlette(routes=[Route("/p", page)]))
    await request(app, "/p", method="HEAD")
    assert set(await routes(app)) == {"HEAD /p"}


async def test_time_runs_to_the_last_body_byte():
    app, _, clock = instrumented()

    async def body():
        yield b"a"
        clock.t += 2.0
        yield b"b"

    app.get("/stream")(lambda: StreamingResponse(body()))
    assert (await request(app, "/stream")).body == b"ab"
    assert (await metrics(app))["overall_p50_ms"] == pytest.approx(2000, rel=0.011)


async def test_background_tasks_do_not_count_as_time_or_in_flight():
    app, monitor, clock = instrumented()
    seen = []

    async def later():
        seen.append(len(monitor.live))
        clock.t += 0.9

    @app.get("/b")
    async def b(tasks: BackgroundTasks):
        tasks.add_task(later)

    await request(app, "/b")
    assert seen == [0]
    assert (await metrics(app))["overall_p50_ms"] < 100


class Endless(LookupError):
    """A group of itself."""

    @property
    def exceptions(self):
        return (self,)


@pytest.mark.parametrize("error", [LookupError, Endless])
async def test_an_escaped_exception_is_an_error_and_reaches_the_app(error):
    app, _, _ = instrumented()

    @app.get("/boom")
    async def boom():
        raise error

    with pytest.raises(error):
        await request(app, "/boom")
    assert request.last.status == 500
    assert (await metrics(app))["error_rate"] == 1


async def test_an_exception_after_the_response_began_is_an_error():
    app, _, _ = instrumented()

    async def body():
        yield b"a"
        raise LookupError

    app.get("/stream")(lambda: StreamingResponse(body()))
    with pytest.raises((LookupError, Exception)):
        await request(app, "/stream")
    assert request.last.status == 200
    told = await metrics(app)
    assert (told["error_rate"], told["sample_size"]) == (1, 1)


async def test_a_failed_background_task_is_an_error():
    app, _, _ = instrumented()

    async def later():
        raise LookupError

    @app.get("/b")
    async def b(tasks: BackgroundTasks):
        tasks.add_task(later)

    with pytest.raises((LookupError, Exception)):
        await request(app, "/b")
    told = await metrics(app)
    assert (told["error_rate"], told["sample_size"]) == (1, 1)


@pytest.mark.parametrize("error", [ClientDisconnect(), asyncio.CancelledError()])
async def test_a_client_that_left_or_a_cancelled_request_is_no_server_error(error):
    app, _, _ = instrumented()

    @app.get("/gone")
    async def gone():
        raise error

    with pytest.raises(type(error)):
        await request(app, "/gone")
    told = await metrics(app)
    assert (told["error_rate"], told["client_error_rate"], told["in_flight"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("path", "errors", "client_errors"),
    [("/stream", 0, 1), ("/plain", 0, 0), ("/database", 1, 0)],  # the plain answer was whole when it was sent
)
async def test_a_client_that_hangs_up_on_the_answer_is_no_server_error_but_the_apps_own_is(
    path, errors, client_errors
):
    app, _, _ = instrumented()

    @app.get("/stream")
    async def stream():
        return StreamingResponse(iter(["a", "b"]))

    @app.get("/plain")
    async def plain():
        return PlainTextResponse("a")

    @app.get("/database")
    async def database():
        raise ConnectionResetError("the database")

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if path != "/database" and message["type"] == "http.response.body":
            raise BrokenPipeError("the client")

    with pytest.raises(Exception):  # noqa: B017, PT011 - OSError, ClientDisconnect or a group, by version
        await app(scope(path), receive, send)
    figures = await metrics(app)
    told = figures["sample_size"], figures["error_rate"], figures["client_error_rate"]
    assert told == (1, errors, client_errors)


async def test_4xx_and_5xx_are_told_apart():
    app, _, _ = instrumented()

    @app.get("/s/{code}")
    async def status(code: int):
        raise HTTPException(code)

    for code in (404, 404, 503, 200):
        await request(app, f"/s/{code}")
    told = await metrics(app)
    assert (told["error_rate"], told["client_error_rate"]) == (0.25, 0.5)


async def test_in_flight_requests_are_counted_while_they_last():
    app, _, _ = instrumented()
    go, begun = asyncio.Event(), asyncio.Event()

    @app.get("/wait")
    async def wait():
        begun.set()
        await go.wait()

    task = asyncio.create_task(request(app, "/wait"))
    await begun.wait()
    assert (await metrics(app))["in_flight"] == 1
    go.set()
    await task
    assert (await metrics(app))["in_flight"] == 0


async def test_websockets_pass_unmeasured():
    app, _, _ = instrumented()

    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        await socket.accept()
        await socket.close()

    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    await app({**scope("/ws"), "type": "websocket", "subprotocols": []}, receive, send)
    assert sent == ["websocket.accept", "websocket.close"]
    assert (await metrics(app))["sample_size"] == 0


async def test_its_own_endpoint_is_never_counted():
    app, _, _ = instrumented()
    for _ in range(5):
        await request(app, "/health/alerts")
        await request(app, "/health/alerts?view=summary")
    assert (await metrics(app))["sample_size"] == 0


async def test_instrumented_twice_warns_and_counts_once():
    app, monitor, _ = instrumented()
    with pytest.warns(RuntimeWarning, match="already"):
        assert instrument(app) is monitor
    app.get("/x")(lambda: 1)
    await request(app, "/x")
    assert (await metrics(app))["sample_size"] == 1


def test_the_second_call_does_not_raise_where_warnings_are_errors():
    app = FastAPI()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert instrument(app) is instrument(app)


async def test_several_apps_have_their_own_figures():
    one, _, _ = instrumented(service="one")
    two, _, _ = instrumented(service="two")
    one.get("/x")(lambda: 1)
    await request(one, "/x")
    assert (await metrics(one))["sample_size"] == 1
    assert (await metrics(two))["sample_size"] == 0
    assert (await request(two, "/health/alerts")).json()["service"] == "two"


async def test_an_app_that_already_serves_can_be_instrumented():
    app = FastAPI()
    app.get("/x")(lambda: 1)
    await request(app, "/x")
    instrument(app)
    await request(app, "/x")
    assert (await metrics(app))["sample_size"] == 1


async def test_mounted_under_another_app_it_answers_below_the_mount():
    sub, _, _ = instrumented()
    sub.get("/x")(lambda: 1)
    app = FastAPI()
    app.mount("/sub", sub)
    await request(app, "/sub/x")
    assert (await request(app, "/sub/health/alerts")).json()["metrics"]["sample_size"] == 1


@pytest.mark.parametrize("thing", [None, object(), 42, "app"])
def test_what_is_no_app_does_no_harm(thing, caplog):
    assert isinstance(instrument(thing), Monitor)


async def test_a_lifespan_runs_and_starts_the_clockwork():
    events = []

    async def life(app):
        events.append("up")
        yield
        events.append("down")

    app, _, _ = instrumented(FastAPI(lifespan=asynccontextmanager(life)))
    inbox = asyncio.Queue()
    inbox.put_nowait({"type": "lifespan.startup"})
    sent = asyncio.Queue()
    task = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, sent.put)
    )
    assert (await sent.get())["type"] == "lifespan.startup.complete"
    inbox.put_nowait({"type": "lifespan.shutdown"})
    assert (await sent.get())["type"] == "lifespan.shutdown.complete"
    await task
    assert events == ["up", "down"]


async def test_nothing_is_printed_or_logged(capfd, caplog):
    app, _, _ = instrumented()
    app.get("/x")(lambda: 1)
    await request(app, "/x")
    await request(app, "/health/alerts")
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("fastapi_alertengine")]


async def test_a_broken_judgement_does_not_reach_a_request(monkeypatch):
    app, monitor, clock = instrumented()
    app.get("/x")(lambda: 1)
    await request(app, "/x")
    monkeypatch.setattr(monitor, "advance", lambda now: 1 / 0)
    clock.t += 5
    assert (await request(app, "/x")).status == 200
