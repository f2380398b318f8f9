"""`alertengine verify`."""

from __future__ import annotations

import pytest

from cli.conftest import Cli


@pytest.fixture
def pending(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Rudo on WhatsApp, by a provider that nobody answers for."""
    monkeypatch.setenv("SENT_API_KEY", "key")
    monkeypatch.setenv("ALERTENGINE_CHANNELS__WA__KIND", "whatsapp_sent")
    monkeypatch.setenv("ALERTENGINE_CHANNELS__WA__BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ALERTENGINE_CHANNELS__CONSOLE__KIND", "console")
    given = ("--service", "payments", "--health-url", "http://127.0.0.1:1/health/alerts")
    made = cli.json("onboard", *given, "--channel", "wa", "--contact", "Rudo=+263771234567")
    assert made["contacts_pending"] == ["Rudo"]
    return cli


def test_a_wrong_code_is_told(pending: Cli) -> None:
    assert "code is not valid" in pending("verify", "Rudo", "abcdef", code=1).stderr


def test_a_code_that_was_just_sent_is_not_sent_again(pending: Cli) -> None:
    assert "a moment ago" in pending("verify", "Rudo", code=1).stderr


def test_a_contact_that_is_unknown_is_told(pending: Cli) -> None:
    assert "no contact nobody" in pending("verify", "Nobody", code=1).stderr.lower()
