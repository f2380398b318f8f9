"""`[server]`, `[auth]`, `[poll]` and `[retention]`: what the daemon itself needs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from alertengine.core.language import DEFAULT, LANGUAGES
from alertengine.settings.lists import Networks, SecretTexts


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    base_url: str | None = None
    """How phones reach this daemon; `http://HOST:PORT` unless set."""
    allow_private: Networks = []
    trusted_proxies: Networks = []
    language: str = DEFAULT
    """Of messages and pages for people who have named none."""

    @field_validator("language")
    @classmethod
    def a_language(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"one of {', '.join(LANGUAGES)}")
        return value

    @field_validator("base_url")
    @classmethod
    def a_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else None


class Auth(_Section):
    secret: SecretStr | None = None
    admin_key: SecretStr | None = None
    previous_secrets: SecretTexts = []

    @field_validator("secret")
    @classmethod
    def long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (len(value.get_secret_value()) < 32 or _weak(value.get_secret_value())):
            raise ValueError("at least 32 unguessable characters; `alertengine init` writes a fresh one")
        return value

    @field_validator("admin_key")
    @classmethod
    def not_short(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("at least 16 characters")
        return value


class Poll(_Section):
    interval_s: Annotated[float, Field(ge=0.2, le=3600)] = 5.0
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 4.0


class Retention(_Section):
    days: Annotated[float, Field(gt=0, le=36500)] = 7.0
    """How long a closed incident stays in the store; what is pruned goes into the archive first."""
    archive_dir: str = "archive"
    """Where its bundle goes; a relative path lies in the data directory, and empty means: keep no bundle."""


def _weak(secret: str) -> bool:
    return len(set(secret)) < 10 or "change" in secret.lower()
