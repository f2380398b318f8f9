"""Faults that were found by reading, each with the scenario that showed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from alertengine.app import load_settings, open_engine
from alertengine.datadir import DataDir
from alertengine.errors import ConfigError, Invalid, Refused, StoreDamaged
from alertengine.pipeline import approve
from alertengine.pipeline.onboard import Application, onboard
from alertengine.pipeline.rehearse import rehearse
from alertengine.ports import Outcome
from alertengine.signing import webhook_verified
from alertengine.store import directory
from world import World

HOW = {"address": "127.0.0.1"}


async def test_an_outcome_that_cannot_be_written_down_is_told_as_unknown(world: World) -> None:
    world.action.outcome = Outcome(status="succeeded", detail="done", facts={"output": "\ud800"})
    incident = await world.fail()
    await approve.confirm(world.engine, world.channel.last_token, HOW)
    await world.settle()

    assert (await world.incident(incident)).stage == "UNKNOWN"
    assert len(world.action.runs) == 1
    assert "unknown" in world.channel.kinds


async def test_the_writer_outlives_its_own_mistakes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Broken:
        pieces: list[Any] = field(default_factory=list)

        def __call__(self, *_: Any) -> None:
            raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(world.engine.store._writer, "_commit", Broken())  # type: ignore[attr-defined]
    with pytest.raises(StoreDamaged):
        await world.engine.store.transact(lambda tx: tx.execute("SELECT 1"))
    with pytest.raises(StoreDamaged):
        await world.engine.store.transact(lambda tx: tx.execute("SELECT 1"))


async def test_a_secret_that_can_sign_nothing_is_refused_before_anything_is_made(world: World) -> None:
    wrong = Application(
        service_name="x", health_url="http://127.0.0.1:1/", service_secret="whsec_not base64!!"
    )
    with pytest.raises(Invalid, match="service_secret"):
        await onboard(world.engine, wrong)
    assert len(await world.engine.store.fetch(directory.tenants())) == 1


@pytest.mark.parametrize("answer", [None, "reject"])
async def test_a_test_ends_also_when_it_is_rejected_or_not_answered(world: World, answer: str | None) -> None:
    incident = await rehearse(world.engine, world.tenant)
    await world.settle()
    if answer:
        await approve.reject(world.engine, world.channel.last_token, HOW)
    for _ in range(2):
        world.clock.advance(1000)
        await world.settle()

    assert (await world.incident(incident)).stage == "RESOLVED"


async def test_refusals_without_end_do_not_fill_the_record(world: World) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    await world.heal()
    for _ in range(50):
        world.clock.advance(10)
        with pytest.raises(Refused):
            await approve.confirm(world.engine, token, HOW)

    assert (await world.types(incident)).count("authorization_refused") <= 6


def test_a_secret_that_was_cut_off_is_not_used(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    (tmp_path / "secret").write_text("")
    with pytest.raises(ConfigError, match="no whole secret"):
        data.generated("secret")
    (tmp_path / "secret").unlink()
    assert data.generated("secret") == data.generated("secret")


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%41b", "a b"])
async def test_any_folder_can_hold_a_store(tmp_path: Path, name: str) -> None:
    settings = load_settings(None, {"HOME": str(tmp_path)}, {"data_dir": tmp_path / name})
    async with open_engine(settings) as engine:
        assert await engine.store.fetch(directory.tenants()) == []
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_timestamp_of_thousands_of_digits_is_just_wrong() -> None:
    headers = {"webhook-timestamp": "1" * 5000, "webhook-id": "m", "webhook-signature": "v1,x"}
    assert not webhook_verified("secret", headers, b"", 1.0)
