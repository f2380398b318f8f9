"""Settings that are lists; in an environment variable or a file, of words."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr


def _listed(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _networks(texts: list[str]) -> list[str]:
    for text in texts:
        try:
            ip_network(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a network, e.g. 10.20.0.0/16") from None
    return texts


Networks = Annotated[list[str], AfterValidator(_networks), BeforeValidator(_listed)]
SecretTexts = Annotated[list[SecretStr], BeforeValidator(_listed)]
