"""Dead letters over the API."""

from __future__ import annotations

from typing import Any

from alertengine.errors import DeliveryError, Fault
from channels.wired import ADMIN, Wired, wired
from world import World

OPERATOR = {"authorization": f"Bearer {ADMIN}"}


async def dead_letter(line: Wired) -> dict[str, Any]:
    await line.add("Tariro", "spare")
    line.spare.failures = [DeliveryError("the token is not accepted", fault=Fault.CONFIG)]
    await line.world.fail()
    [letter] = (await line.http.get("/dlq", headers=OPERATOR)).json()["dead_letters"]
    found: dict[str, Any] = letter
    return found


async def set_plan(line: Wired, plan: str) -> dict[str, str]:
    world = line.world
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE tenant SET plan = ?", plan))
    return {"authorization": f"Bearer {world.onboarded.api_key}"}


async def test_a_dead_letter_says_why_and_arrives_when_it_is_tried_again(world: World) -> None:
    async with wired(world) as line:
        letter = await dead_letter(line)
        assert (letter["contact"], letter["channel"], letter["message"]) == ("Tariro", "spare", "alert")
        assert letter["reason"] == "the token is not accepted"

        assert (await line.http.post(f"/dlq/{letter['id']}/retry", headers=OPERATOR)).status_code == 202
        await world.settle()
        assert line.spare.kinds.count("alert") == 1
        assert line.spare.sent[0][2] == f"{letter['id']}-1", "the provider must not take it for the first one"
        assert (await line.http.get("/dlq", headers=OPERATOR)).json() == {"dead_letters": []}
        assert (await line.http.post(f"/dlq/{letter['id']}/retry", headers=OPERATOR)).status_code == 404


async def test_a_retried_letter_has_all_its_tries_again(world: World) -> None:
    async with wired(world) as line:
        letter = await dead_letter(line)
        line.spare.failures = [DeliveryError("503")] * 3
        await line.http.post(f"/dlq/{letter['id']}/retry", headers=OPERATOR)
        for _ in range(6):
            await world.tick(20)

        assert line.spare.kinds.count("alert") == 1


async def test_a_tenant_sees_its_own_where_the_plan_says_so(world: World) -> None:
    async with wired(world) as line:
        letter = await dead_letter(line)
        own = await set_plan(line, "startup")
        assert [row["id"] for row in (await line.http.get("/dlq", headers=own)).json()["dead_letters"]] == [
            letter["id"]
        ]

        own = await set_plan(line, "solo")
        for answer in (
            await line.http.get("/dlq", headers=own),
            await line.http.post(f"/dlq/{letter['id']}/retry", headers=own),
        ):
            said = answer.json()
            assert (answer.status_code, said["code"]) == (403, "PLAN_FEATURE_UNAVAILABLE")
            assert said["upgrade_to"] == "startup"


async def test_a_tenant_learns_nothing_of_others(world: World) -> None:
    async with wired(world) as line:
        own = await set_plan(line, "scale")
        foreign = await line.http.get("/dlq", params={"tenant_id": "ten_other"}, headers=own)
        unknown = await line.http.post("/dlq/msg_none/retry", headers=own)

        assert foreign.status_code == unknown.status_code == 403
        assert foreign.content == unknown.content
        assert (await line.http.get("/dlq")).status_code == 401
