"""The compliance export: what is in it, who may have it, and that a changed one is found out."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from asking import Asking, asking

from alertengine.ledger.archive import MANIFEST, check_archive
from alertengine.ledger.bundle import BundleError
from alertengine.ledger.keys import public_keys
from world import World


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Asking]:
    async with asking(world.engine) as opened:
        yield opened


async def three(world: World) -> list[str]:
    """Three incidents, an hour apart and over, oldest first."""
    found = []
    for _ in range(3):
        found.append(await world.fail())
        await world.heal()
        world.clock.advance(3600)
    return found


def names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


async def test_every_incident_of_the_time_is_in_it_and_verifies(
    ask: Asking, world: World, tmp_path: Path
) -> None:
    first, second, third = await three(world)
    foreign = await ask.onboard("theirs")
    await ask("POST", f"/tenant/{foreign['tenant_id']}/test")
    path = f"/tenant/{world.tenant}/export"
    answer = await ask("GET", path, key=world.onboarded.api_key)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert names(answer.content) == [f"{third}.html", f"{second}.html", f"{first}.html", MANIFEST]
    file = tmp_path / "all.zip"
    file.write_bytes(answer.content)
    keys = public_keys(tmp_path / "data" / "ledger.key")
    checked = check_archive(file, keys)
    assert (checked.tenant_id, len(checked.incidents), checked.trusted) == (world.tenant, 3, True)

    begun = [row["opened_at"] for row in checked.incidents]
    some = await ask("GET", f"{path}?since={begun[1]}&until={begun[0]}")
    assert names(some.content) == [f"{second}.html", MANIFEST]
    none = await ask("GET", f"{path}?until=2020-01-01T00:00:00Z")
    assert names(none.content) == [MANIFEST]


async def test_it_comes_with_the_plan(ask: Asking, world: World) -> None:
    path, own = f"/tenant/{world.tenant}", world.onboarded.api_key
    await ask("POST", f"{path}/plan", {"plan": "startup"})
    refused = await ask("GET", f"{path}/export", key=own)
    said = refused.json()
    assert (refused.status_code, said["code"], said["upgrade_to"]) == (
        403,
        "PLAN_FEATURE_UNAVAILABLE",
        "scale",
    )
    assert (await ask("GET", f"{path}/export")).status_code == 200, "the operator may always"
    await ask("POST", f"{path}/plan", {"plan": "scale"})
    assert (await ask("GET", f"{path}/export", key=own)).status_code == 200
    assert [(await ask("GET", f"{path}/export", key=own)).status_code for _ in range(5)][-1] == 429


async def test_nobody_has_another_s(ask: Asking, world: World) -> None:
    other = await ask.onboard("theirs")
    answers = [
        await ask("GET", f"/tenant/{tenant}/export", key=world.onboarded.api_key)
        for tenant in (other["tenant_id"], "ten_none")
    ]
    assert [a.status_code for a in answers] == [403, 403]
    assert answers[0].content == answers[1].content
    assert (await ask("GET", f"/tenant/{world.tenant}/export", key=None)).status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "until=9999-12-31T23:59:59-23:00",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
    ],
)
async def test_a_range_that_is_none_is_refused(ask: Asking, world: World, query: str) -> None:
    assert (await ask("GET", f"/tenant/{world.tenant}/export?{query}")).status_code == 422


def rewritten(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The archive with its files changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def listed(files: dict[str, bytes], change: Callable[[Any], None]) -> None:
    manifest = json.loads(files[MANIFEST])
    change(manifest)
    files[MANIFEST] = json.dumps(manifest).encode()


def _html(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.endswith(".html"))


CHANGES: dict[str, Callable[[dict[str, bytes]], None]] = {
    "a changed bundle": lambda f: f.update({_html(f): f[_html(f)].replace(b"critical", b"harmless")}),
    "a bundle left out": lambda f: f.pop(_html(f)) and None,
    "one more file": lambda f: f.update({"more.html": b"x"}),
    "no manifest": lambda f: f.pop(MANIFEST) and None,
    "no JSON": lambda f: f.update({MANIFEST: b"{"}),
    "another format": lambda f: listed(f, lambda m: m.update(format="x")),
    "another tenant": lambda f: listed(f, lambda m: m.update(tenant_id="ten_other")),
    "another incident": lambda f: listed(f, lambda m: m["incidents"][0].update(incident_id="inc_other")),
    "rows that are none": lambda f: listed(f, lambda m: m.update(incidents=[1])),
    "no digest": lambda f: listed(f, lambda m: m["incidents"][0].pop("sha256")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_what_was_changed_is_found_out(
    ask: Asking, world: World, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    await world.fail()
    whole = (await ask("GET", f"/tenant/{world.tenant}/export")).content
    file = tmp_path / "changed.zip"
    file.write_bytes(rewritten(whole, lambda files: None))
    assert len(check_archive(file).incidents) == 1
    file.write_bytes(rewritten(whole, change))
    with pytest.raises(BundleError):
        check_archive(file)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="cut off"):
        check_archive(file)
