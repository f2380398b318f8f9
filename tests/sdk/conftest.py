"""Every test of the SDK begins with a plain environment."""

import pytest


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """No setting from outside, and nothing written to the home directory."""
    for name in ("STORAGE", "SECRET", "REDIS_URL", "PUSH_URL", "SERVICE", "SHARED_DIR"):
        monkeypatch.delenv(f"ALERTENGINE_{name}", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("ALERTENGINE_STATE", "off")
