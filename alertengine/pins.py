"""PINs: what is kept of them, and which are none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from alertengine.core.said import Said
from alertengine.errors import Invalid

_COST = {"n": 2**14, "r": 8, "p": 1}
"""16 MiB and some 50 ms for each guess."""
_FORM = re.compile(r"[0-9]{6,12}")
_RUN = "01234567890123456789 98765432109876543210"


def seal_pin(pin: str) -> str:
    """Raises `Invalid` for what somebody would guess first."""
    if not _FORM.fullmatch(pin):
        raise _unfit("refused.pin.form")
    if len(set(pin)) < 3 or pin in _RUN:
        raise _unfit("refused.pin.easy")
    salt = secrets.token_bytes(16)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(_hash(pin, salt)).decode()}"


def _unfit(key: str) -> Invalid:
    said = Said(key)
    return Invalid(said.english, said=said)


def is_pin(pin: str, sealed: str) -> bool:
    """Slow on purpose: call it beside the event loop."""
    _, salt, kept = sealed.split("$")
    if len(pin) > 64:
        return False
    return hmac.compare_digest(_hash(pin, base64.b64decode(salt)), base64.b64decode(kept))


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, dklen=32, maxmem=64 * 2**20, **_COST)
