"""Every test of the SDK begins with a plain environment."""

import pytest
from hypothesis import HealthCheck, settings

# This suite also runs alone, on other interpreters (matrix.py), and on machines that others use.
settings.register_profile("sdk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sdk")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """No setting from outside, and nothing written to the home directory."""
    for name in ("STORAGE", "SECRET", "REDIS_URL", "PUSH_URL", "SERVICE", "SHARED_DIR"):
        monkeypatch.delenv(f"ALERTENGINE_{name}", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("ALERTENGINE_STATE", "off")
