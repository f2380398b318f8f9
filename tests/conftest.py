"""Fixtures for every part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from alertengine.core.policy import Policy
from world import World, open_world

# How long a draw or a test takes says more of what else the machine does than of the test.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

REAL_PROCESSES = {"oidc", "faults", "crash", "browser", "cli", "sdk", "web"}
"""Folders whose tests start processes and wait for them with a deadline."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a machine that others use too, a process can be late once. What is wrong is wrong twice."""
    for item in items:
        if item.path.parent.name in REAL_PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def policy() -> Policy:
    return Policy()


@pytest.fixture
async def world(tmp_path: Path, policy: Policy) -> AsyncIterator[World]:
    async with open_world(tmp_path, policy) as opened:
        yield opened
