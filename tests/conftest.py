"""Fixtures for every part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alertengine.core.policy import Policy
from world import World, open_world


@pytest.fixture
def policy() -> Policy:
    return Policy()


@pytest.fixture
async def world(tmp_path: Path, policy: Policy) -> AsyncIterator[World]:
    async with open_world(tmp_path, policy) as opened:
        yield opened
