"""The settings of channels: the providers' own environment variables, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alertengine.app import load_settings
from alertengine.config import Settings
from alertengine.errors import ConfigError

TWILIO = {
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "token",
    "TWILIO_WHATSAPP_FROM": "whatsapp:+14155238886",
}


def loaded(folder: Path, toml: str = "", **environ: str) -> Settings:
    file = folder / "alertengine.toml"
    file.write_text(toml)
    return load_settings(file, environ, {"data_dir": folder})


def problems(folder: Path, toml: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, toml)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("name", ["channels.ops", "actions.failover"])
def test_a_secret_that_cannot_sign_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    kind, url = (
        ("webhook", "https://a.example/x") if name == "channels.ops" else ("http", "https://a.example/x")
    )
    toml = f'[{name}]\nkind = "{kind}"\nurl = "{url}"\nsecret = "whsec_not base64!"\n'
    said = problems(tmp_path, toml)

    assert f"{name}.secret" in said
    assert "base64" in said
    assert "not base64" not in said
    assert loaded(tmp_path, toml.replace("not base64!", "AAECAwQFBgcICQoLDA0ODw=="))


def test_a_providers_variables_alone_make_its_channel(tmp_path: Path) -> None:
    channels = loaded(tmp_path, **TWILIO, SENT_API_KEY="key", SENT_PHONE_ID="phone").channels

    assert list(channels) == ["console", "whatsapp_twilio", "whatsapp_sent"]
    assert channels["whatsapp_twilio"].sender == "whatsapp:+14155238886"
    assert channels["whatsapp_sent"].phone_id == "phone"


def test_some_of_a_providers_variables_make_none(tmp_path: Path) -> None:
    assert list(loaded(tmp_path, TWILIO_ACCOUNT_SID="AC1", TWILIO_AUTH_TOKEN="x").channels) == ["console"]


def test_a_providers_variables_complete_the_configured_channels(tmp_path: Path) -> None:
    toml = """
[channels.phone]
kind = "voice_twilio"
from = "+14155550100"

[channels.wa]
kind = "whatsapp_twilio"
account_sid = "AC2"
"""
    channels: Any = loaded(tmp_path, toml, **TWILIO).channels

    assert list(channels) == ["phone", "wa"]
    assert channels["phone"].auth_token.get_secret_value() == "token"
    assert channels["wa"].account_sid == "AC1", "the environment comes after the file"


def test_an_unknown_key_is_told_with_the_keys_as_they_are_written(tmp_path: Path) -> None:
    toml = '[channels.wa]\nkind = "whatsapp_twilio"\naccount_sid = "AC1"\nauth_token = "x"\nform = "+14155550100"\n'
    told = problems(tmp_path, toml)

    assert "channels.wa.from: is missing" in told
    assert "auth_token, base_url, content_sid, from, kind" in told


@pytest.mark.parametrize(
    ("keys", "remedy"),
    [
        ('kind = "slack"', "webhook_url or bot_token"),
        ('kind = "webhook"', "url is missing"),
        ('kind = "webhook"\nurl = "https://x.example"', "secret is missing"),
        ('kind = "webhook"\nurl = "x.example"\nsecret = "x"', "must begin with http"),
        ('kind = "telegram"\nbot_token = "x:y"\nbase_url = "telegram"', "must begin with http"),
        (
            'kind = "whatsapp_twilio"\naccount_sid = "AC/.."\nauth_token = "x"\nfrom = "+14155550100"',
            "is not of the form",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(tmp_path: Path, keys: str, remedy: str) -> None:
    assert remedy in problems(tmp_path, f"[channels.one]\n{keys}\n")


@pytest.mark.parametrize("form", ["teams", "discord"])
def test_a_form_whose_url_is_its_secret_needs_no_other(tmp_path: Path, form: str) -> None:
    toml = f'[channels.one]\nkind = "webhook"\nform = "{form}"\nurl = "https://x.example/secretpath"\n'

    assert "secretpath" not in repr(loaded(tmp_path, toml).channels)
