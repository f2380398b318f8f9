"""The table of plans, cell by cell: each is tried, and the table here is written by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from asking import Asking, asking

from alertengine.core.model import ActionSpec
from alertengine.errors import SignInFailed
from alertengine.pipeline import inquire, quota
from alertengine.pipeline.signin import begin_session
from alertengine.ports import Identity
from alertengine.store import people
from alertengine.store.base import Transaction
from alertengine.testing import RecordingChannel, critical_report, healthy_report
from world import World

KINDS = ("telegram", "webhook", "whatsapp_twilio", "slack", "voice_twilio")
COLUMNS = (
    "services", "incidents", *KINDS, "model", "team approvals", "dead letters", "thresholds", "export", "sso",
)  # fmt: skip
YES, NO, ANY = True, False, None
#               services, incidents, telegram, webhook, whatsapp, slack, voice, model, team, dlq, thresh, export, sso
TABLE = {
    "hobby":      (1,     5,         YES,      YES,     NO,       NO,    NO,    NO,    NO,   NO,  NO,     NO,     NO),
    "developer":  (1,     10,        YES,      YES,     YES,      NO,    NO,    YES,   NO,   NO,  NO,     NO,     NO),
    "solo":       (3,     50,        YES,      YES,     YES,      NO,    NO,    YES,   NO,   NO,  NO,     NO,     NO),
    "startup":    (10,    200,       YES,      YES,     YES,      YES,   NO,    YES,   YES,  YES, NO,     NO,     NO),
    "scale":      (ANY,   ANY,       YES,      YES,     YES,      YES,   YES,   YES,   YES,  YES, YES,    YES,    NO),
    "enterprise": (ANY,   ANY,       YES,      YES,     YES,      YES,   YES,   YES,   YES,  YES, YES,    YES,    YES),
}  # fmt: skip
MORE_THAN_ANY = 201
SMALLEST = {column: next((p for p, row in TABLE.items() if row[i]), "") for i, column in enumerate(COLUMNS)}
SMALLEST |= {"services": "", "incidents": ""}


class Willing:
    """A model that nothing speaks against. It is never asked here."""

    name = model = "willing"

    def complaint(self) -> str | None:
        return None


@dataclass
class Tenant:
    """One on a plan, and what it is refused."""

    ask: Asking
    world: World
    plan: str
    id: str = ""
    key: str = ""

    async def allowed(
        self, column: str, method: str, path: str, body: Any = None, key: str | None = None
    ) -> bool:
        """Whether it is done; if not, the answer names the smallest plan that has it."""
        answer = await self.ask(method, path, body, **({"key": key} if key else {}))
        if answer.is_success:
            return True
        said = answer.json()
        assert (answer.status_code, said["code"]) == (403, "PLAN_FEATURE_UNAVAILABLE"), said
        if SMALLEST[column]:
            assert said["upgrade_to"] == SMALLEST[column]
        return False

    async def services(self) -> int | None:
        for number in range(1, 13):
            body = {"service_name": f"s{number}", "health_url": "http://127.0.0.1:2/"}
            if not await self.allowed("services", "POST", f"/tenant/{self.id}/services", body):
                return number
        return ANY

    async def incidents(self) -> int | None:
        """How many open before the first that says it is past the number."""

        def work(tx: Transaction) -> int | None:
            found = (n for n in range(MORE_THAN_ANY) if quota.count(self.world.engine, tx, self.id))
            return next(found, ANY)

        return await self.world.engine.store.transact(work)

    async def tells_by(self, kind: str) -> bool:
        body = {"name": kind, "channel": kind, "address": "http://127.0.0.1:2/", "role": "viewer"}
        return await self.allowed(kind, "POST", f"/tenant/{self.id}/contacts", body)

    async def signs_in(self) -> bool:
        email = f"{self.plan}@example.com"
        await self.world.engine.store.transact(lambda tx: people.set_email(tx, self.id, "Tariro", email))
        identity = Identity(email=email, tenants=None, back="/", occasion=self.plan)
        try:
            return bool(await begin_session(self.world.engine, identity))
        except SignInFailed:
            return False

    async def team(self) -> bool:
        two = ActionSpec(name="failover", kind="app", approvals=2)
        async with asking(replace(self.world.engine, catalogue={"failover": two})) as ask:
            other = replace(self, ask=ask)
            body = {"service_name": "t", "health_url": "http://127.0.0.1:2/", "plan": self.plan}
            return await other.allowed("team approvals", "POST", "/onboard", body)

    async def row(self) -> tuple[object, ...]:
        own, service = f"/tenant/{self.id}", self.service
        strict = {"thresholds": {"confirmations": 3}}
        return (
            await self.services(),
            await self.incidents(),
            *[await self.tells_by(kind) for kind in KINDS],
            await inquire.objection(self.world.engine, self.id) is None,
            await self.team(),
            await self.allowed("dead letters", "GET", "/dlq", key=self.key),
            await self.allowed("thresholds", "PATCH", f"{own}/services/{service}", strict, key=self.key),
            await self.allowed("export", "GET", f"{own}/export", key=self.key),
            await self.signs_in(),
        )

    service: str = ""


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Asking]:
    channels = {kind: RecordingChannel(name=kind, kind=kind) for kind in ("console", *KINDS)}
    world.engine = replace(world.engine, channels=channels, model=Willing())  # type: ignore[arg-type]
    async with asking(world.engine) as opened:
        yield opened


@pytest.mark.parametrize("plan", TABLE)
async def test_a_plan_is_its_row_of_the_table(ask: Asking, world: World, plan: str) -> None:
    made = await ask.onboard(plan=plan, contacts=[{"name": "Tariro", "channel": "console"}])
    tenant = Tenant(ask, world, plan, made["tenant_id"], made["api_key"], service=made["service_id"])

    assert dict(zip(COLUMNS, await tenant.row(), strict=True)) == dict(zip(COLUMNS, TABLE[plan], strict=True))


async def test_the_number_of_incidents_begins_anew_after_30_days_and_not_before(world: World) -> None:
    """Told of five and one a day; a second before the end it is still used up, at the end it is not."""
    async with asking(world.engine) as ask:
        path = f"/tenant/{world.tenant}"
        await ask("POST", f"{path}/plan", {"plan": "hobby"})

        async def outage() -> bool:
            """Whether it was told."""
            world.clock.advance(600)
            world.source.report = critical_report()
            incident = await world.tick()
            assert incident is not None
            told = "alert_queued" in await world.types(incident)
            world.source.report = healthy_report()
            await world.tick()
            await world.tick()
            return told

        async def used() -> tuple[int, int]:
            counted = (await ask("GET", path)).json()["quota"]["incidents"]
            return counted["used"], counted["limit"]

        began = world.engine.now()
        assert [await outage() for _ in range(7)] == [True] * 6 + [False]
        assert await used() == (7, 5)
        first = (await ask("GET", f"{path}/incidents")).json()["incidents"][-1]["opened_at"]
        assert first.startswith(f"{began:%Y-%m-%d}")
        resets = (await ask("GET", path)).json()["quota"]["incidents"]["resets_at"]
        left = 30 * 86400 - (world.engine.now() - began).total_seconds() + 605
        world.clock.advance(left - 1)
        assert await used() == (7, 5), resets
        world.clock.advance(1)
        assert await used() == (0, 5)
        assert [await outage() for _ in range(6)] == [True] * 6
