"""A fuzzer that knows the OpenAPI document holds the answers against it: as nobody, as a tenant, as the operator."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
import uvicorn
from asking import ADMIN, asking

from alertengine.daemon import serving
from alertengine.web.app import create_app
from world import World

FUZZER = Path(sys.executable).with_name("st")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "2")
CONFIG = Path(__file__).with_name("fuzzer.toml")
OPERATOR = r"^/(status|onboard|tenants|refusals)$|/(suspend|resume|plan|history)$"
PUBLIC = r"^/(health|verify|hooks|push|action|signin|signout|pin|incident)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FUZZER.exists(), reason="needs schemathesis: pip install '.[test]'"),
]


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The API on a real port, with time going on, so that no limit stays reached."""

    async def go_on() -> None:
        while True:
            await asyncio.sleep(0.01)
            world.clock.advance(1)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        config = uvicorn.Config(
            create_app(world.engine, ADMIN), log_config=None, access_log=False, lifespan="off"
        )
        ticking = asyncio.ensure_future(go_on())
        async with serving(config, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking


async def ids(world: World) -> dict[str, str]:
    """What there is to be found, for a fuzzer that guesses no id."""
    async with asking(world.engine) as ask:
        path = f"/tenant/{world.tenant}"
        incident = (await ask("POST", f"{path}/test")).json()["incident_id"]
        viewer = {"name": "Rudo", "channel": "console", "role": "viewer"}
        contact = (await ask("POST", f"{path}/contacts", viewer)).json()["contact_id"]
        other = (await ask.onboard("other"))["tenant_id"]
    return {
        "FUZZED_TENANT": world.tenant,
        "FUZZED_INCIDENT": incident,
        "FUZZED_SERVICE": world.service.id,
        "FUZZED_CONTACT": contact,
        "FUZZED_OTHER": other,
    }


@pytest.mark.parametrize(
    ("who", "narrow"),
    [
        ("nobody", ["--include-path-regex", PUBLIC]),
        ("tenant", ["--exclude-path-regex", f"{PUBLIC}|{OPERATOR}"]),
        ("operator", ["--include-path-regex", OPERATOR]),
    ],
)
async def test_the_fuzzer_finds_no_fault(world: World, tmp_path: Path, who: str, narrow: list[str]) -> None:
    keys = {"tenant": world.onboarded.api_key, "operator": ADMIN}
    key = ["-H", f"Authorization: Bearer {keys[who]}"] if who in keys else []
    given = ["--phases", "coverage,fuzzing", "-n", EXAMPLES, "--no-shrink", "--warnings", "off", "--no-color"]
    known = await ids(world)
    async with served(world) as url:
        run = await asyncio.create_subprocess_exec(
            *(FUZZER, "--config-file", str(CONFIG), "run", f"{url}/openapi.json", *given, *narrow, *key),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
            env={**os.environ, **known},
        )
        said, _ = await asyncio.wait_for(run.communicate(), 300)

    assert run.returncode == 0, said.decode()[-6000:]
    assert b"No issues found" in said
