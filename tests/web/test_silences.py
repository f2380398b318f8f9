"""Silences over the API: who may, what is refused, what is answered."""

from __future__ import annotations

import pytest

from channels.wired import ADMIN, wired
from world import World

OPERATOR = {"authorization": f"Bearer {ADMIN}"}


async def test_a_silence_is_set_listed_and_taken_back(world: World) -> None:
    async with wired(world) as line:
        own = {"authorization": f"Bearer {world.onboarded.api_key}"}
        path = f"/tenant/{world.tenant}/silences"
        made = await line.http.post(path, headers=own, json={"reason": "deploying", "for_s": 600})
        assert made.status_code == 201
        assert made.json()["until"] == "2026-01-02T03:14:05.000000Z"
        named = {
            "reason": "known",
            "until": "2026-01-02T09:00:00+02:00",
            "service": "pay*",
            "operator": "rudo",
        }
        other = (await line.http.post(path, headers=OPERATOR, json=named)).json()
        assert (other["by"], other["until"]) == ("rudo", "2026-01-02T07:00:00.000000Z")

        listed = (await line.http.get(path, headers=own)).json()["silences"]
        assert [s["reason"] for s in listed] == ["deploying", "known"]
        (shown,) = [
            s
            for s in (await line.http.get("/status", headers=OPERATOR)).json()["silences"]
            if s["by"] == "rudo"
        ]
        assert shown == other
        gone = f"{path}/{made.json()['silence_id']}/remove"
        assert (await line.http.post(gone, headers=own)).json()["removed"] is True
        assert (await line.http.post(gone, headers=own)).status_code == 404
        assert len((await line.http.get(path, headers=own)).json()["silences"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "x"},
        {"reason": "x", "for_s": 60, "until": "2026-01-02T09:00:00Z"},
        {"reason": "x", "until": "2026-01-02T09:00:00"},
        {"reason": "x", "until": "2025-01-02T09:00:00Z"},
        {"reason": "x", "for_s": 1e9},
        {"reason": "x", "for_s": "NaN"},
        {"reason": "x", "for_s": 60, "starts_at": "9999-12-31T23:59:59Z"},
    ],
)
async def test_one_without_a_reason_or_an_end_is_refused(world: World, body: dict[str, object]) -> None:
    async with wired(world) as line:
        refused = await line.http.post(f"/tenant/{world.tenant}/silences", headers=OPERATOR, json=body)
        assert refused.status_code in (400, 422)
        assert refused.json()["code"]


async def test_nobody_silences_another_tenant(world: World) -> None:
    async with wired(world) as line:
        own = {"authorization": f"Bearer {world.onboarded.api_key}"}
        body = {"reason": "x", "for_s": 60}
        assert (await line.http.post("/tenant/ten_other/silences", headers=own, json=body)).status_code == 403
        assert (await line.http.post(f"/tenant/{world.tenant}/silences", json=body)).status_code == 401
