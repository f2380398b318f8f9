"""The examples run as they stand."""

import runpy
from pathlib import Path

import pytest
from sdk_asgi import request

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "path", "route"),
    [
        ("fastapi_app", "/price/7", "GET /price/{item}"),
        ("starlette_app", "/items/7", "GET /items/{id:int}"),
    ],
)
async def test_an_example_answers_and_is_measured(name, path, route):
    app = runpy.run_path(str(EXAMPLES / f"{name}.py"))["app"]
    assert (await request(app, path)).status == 200
    (row,) = (await request(app, "/health/alerts")).json()["routes"]
    assert (row["route"], row["sample_size"]) == (route, 1)
