"""What holds for every kind of model, over the registry."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import jsonschema
import pytest
import tomllib
from model_benches import BENCHES, FAULTS, built, diagnoses, modelled, opened, queued_after
from synthetic_faults import scenario

from alertengine import registry
from alertengine.core.diagnosis.answer import read
from alertengine.core.diagnosis.question import MAIN, Question, Recovery, ask
from alertengine.core.diagnosis.rules import diagnose
from alertengine.errors import ModelFailed
from alertengine.testing.wire.anthropic import AnthropicServer

pytest.importorskip("anthropic")
SPECS = Path(__file__).parents[3] / "shared" / "specs"
MODELS = sorted(registry.DIAGNOSERS.keys() - {"rules"})


def question(cause: str = "db_slow") -> Question:
    report = scenario(cause, 3)
    recoveries = [Recovery(id="restart-pool", description="recycle the pool", before="Helped 4 of 5 times.")]
    trouble = {"service": "payments", "what": "payments is slow"}
    return ask(trouble, report, diagnose(report), ["poll at 03:04:05: critical"], recoveries, MAIN)


def test_every_model_has_a_bench() -> None:
    assert sorted(BENCHES) == MODELS


@pytest.mark.parametrize("kind", registry.DIAGNOSERS)
def test_its_example_is_a_whole_section(kind: str) -> None:
    section = tomllib.loads(registry.example(registry.DIAGNOSERS, kind))["diagnosis"]
    given = {key.removesuffix("_file"): value for key, value in section.items()}
    assert registry.config_model(registry.DIAGNOSERS, kind).model_validate(given).provider == kind


@pytest.mark.parametrize("kind", MODELS)
async def test_it_asks_in_the_provider_s_form_and_its_answer_can_be_read(kind: str) -> None:
    bench = BENCHES[kind]
    async with bench.server() as server, built(bench, server) as model:
        asked = question()
        answer = await model.ask(asked, 800, 5.0)
        assert server.problems == []
        assert answer.usage is not None
        assert answer.usage.out == 120
        opinion = read(answer.said, asked)
        assert (opinion.finding.cause, opinion.action) == ("db_slow", "restart-pool")
        assert server.asked[0]["recoveries"][0]["id"] == "restart-pool"  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", MODELS)
async def test_it_tells_no_secret(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = BENCHES[kind]
    caplog.set_level(logging.DEBUG)
    async with bench.server() as server:
        secret = bench.settings(server)["api_key"]
        async with built(bench, server) as model:
            assert secret not in repr(model) + repr(vars(registry))
            for name in ("401", "500", "nonsense"):
                server.plan = [FAULTS[name](kind).act]  # type: ignore[list-item]
                with pytest.raises(ModelFailed) as failed:
                    await model.ask(question(), 800, 5.0)
                assert secret not in f"{failed.value!r} {failed.value.__cause__!r}"
    assert secret not in caplog.text
    assert "measurements" not in caplog.text


@pytest.mark.skipif(not SPECS.exists(), reason="the provider's schema is not at hand")
async def test_every_request_keeps_to_the_published_schema() -> None:
    wire = json.loads((SPECS / "anthropic_messages.schema.json").read_text())
    bench = BENCHES["claude"]
    async with AnthropicServer() as server, built(bench, server) as model:
        for cause in ("db_slow", "memory_leak", "scanner_4xx"):
            await model.ask(question(cause), 800, 5.0)
        for request in server.requests:
            jsonschema.validate(request.json(), wire["request"])
            jsonschema.validate(json.loads(server.answer(request).body), wire["response"])
            assert request.headers["content-type"] == "application/json"


async def test_what_stays_the_same_is_remembered_by_the_provider() -> None:
    async with AnthropicServer() as server, built(BENCHES["claude"], server) as model:
        first = (await model.ask(question(), 800, 5.0)).usage
        second = (await model.ask(question("memory_leak"), 800, 5.0)).usage
    assert first is not None
    assert second is not None
    assert (first.cached, second.remembered) == (0, 0)
    assert second.cached == first.remembered > 1024
    assert model.prices.cost(second) < model.prices.cost(first)


async def test_nothing_is_tried_twice(tmp_path: Path) -> None:
    async with modelled(tmp_path) as (world, server):
        server.plan = [FAULTS["500"]("claude").act, FAULTS["500"]("claude").act]
        incident = await opened(world)
        await queued_after(world, incident)
        for _ in range(5):
            await world.tick()
        assert len(server.requests) == 1
        assert len(await diagnoses(world, incident)) == 2
