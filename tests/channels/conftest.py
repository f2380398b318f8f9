"""Every test has a client of its own, and reading the machine's certificates each time takes longer than the test."""

from __future__ import annotations

import ssl

import pytest

CONTEXT = ssl.create_default_context()


@pytest.fixture(autouse=True)
def one_ssl_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda *_: CONTEXT)
