"""The OpenAPI document tells of refusals, and refusals are as it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jsonschema
import pytest

from alertengine.web.app import create_app
from world import World

ADMIN = {"authorization": "Bearer admin-key-of-this-test"}


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(world.engine, "admin-key-of-this-test")
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_every_refusal_is_described_as_a_problem(http: httpx2.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    operations = [o for item in document["paths"].values() for o in item.values()]
    refusals = [r for o in operations for status, r in o["responses"].items() if status >= "400"]

    assert len(operations) > 20
    assert all(r["content"].keys() <= {"application/problem+json", "text/html"} for r in refusals)
    assert all("application/problem+json" in r["content"] for r in refusals)
    assert all({"401", "403"} <= o["responses"].keys() for o in operations if "security" in o)
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("method", "path", "template", "body", "headers"),
    [
        ("GET", "/status", "/status", None, {}),
        ("GET", "/tenant/none", "/tenant/{tenant_id}", None, ADMIN),
        ("GET", "/dlq?limit=0", "/dlq", None, ADMIN),
        ("POST", "/onboard", "/onboard", {}, ADMIN),
        ("POST", "/verify", "/verify", {"phone": "1", "code": "2"}, {}),
        ("POST", "/action/recover/confirm", "/action/recover/confirm", {}, {}),
        ("POST", "/hooks/nobody", "/hooks/{provider}", {}, {}),
        ("POST", "/push/a/b", "/push/{tenant_id}/{service_id}", {}, {}),
    ],
)
async def test_a_refusal_is_as_described(
    http: httpx2.AsyncClient, method: str, path: str, template: str, body: Any, headers: dict[str, str]
) -> None:
    document = (await http.get("/openapi.json")).json()
    answer = await http.request(method, path, json=body, headers={**headers, "accept": "application/json"})

    assert answer.status_code >= 400
    assert str(answer.status_code) in document["paths"][template][method.lower()]["responses"]
    jsonschema.validate(answer.json(), document["components"]["schemas"]["Problem"])
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_wrong_method_names_the_right_one(http: httpx2.AsyncClient) -> None:
    answer = await http.put("/health")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert (await http.put("/tenant/x/services")).headers["allow"] == "GET, POST"
    assert answer.headers["content-type"] == "application/problem+json"
