"""An ASGI driver in a few lines, so that the suite runs on every Starlette without a test client."""

import asyncio
import json


class Answer:
    def __init__(self, messages):
        start = next((m for m in messages if m["type"] == "http.response.start"), {})
        self.status = start.get("status")
        self.headers = dict(start.get("headers", []))
        self.body = b"".join(m.get("body", b"") for m in messages)

    def json(self):
        return json.loads(self.body)


def scope(path, method="GET", headers=None, **more):
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "client": ("10.0.0.1", 50000),
        "server": ("testserver", 80),
        "state": {},
        **more,
    }


async def request(app, path, method="GET", body=b"", headers=None, **more):
    """Drive one request; what the app raises is raised here."""
    sent, given = [], [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if given:
            return given.pop()
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    try:
        await app(scope(path, method, headers, **more), receive, send)
    finally:
        request.last = Answer(sent)
    return request.last


class Clock:
    """A clock that tests turn by hand."""

    def __init__(self, t=1000.0):
        self.t = t

    def __call__(self):
        return self.t
