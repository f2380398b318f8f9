"""Passes: signed tokens by which somebody may look, or stays signed in. None of them decides anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import jwt

from alertengine.errors import TokenInvalid
from alertengine.signing import TOKEN_LIMIT

_ALL_OFF = dict.fromkeys(
    ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_sub", "verify_jti"), False
)


class Purpose(StrEnum):
    """What a pass is for. Each has its own key, audience and type, so that none stands in for another."""

    VIEW = "view"
    """In the address of a tenant's incidents."""
    SESSION = "session"
    """In the cookie of somebody who signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What the token says: which row of the store it names, and until when. Whose it is stands in the row."""

    purpose: Purpose
    jti: str
    issued_at: datetime
    expires_at: datetime


class PassSigner:
    """Compact JWS, HS256 alone; the key is derived from the daemon's secret and the purpose.

    `previous`: secrets whose passes still read. The newest signs.
    """

    def __init__(self, secret: str, issuer: str, previous: Sequence[str] = ()) -> None:
        self._keys = {p: [_key(p, one) for one in (secret, *previous)] for p in Purpose}
        self._issuer = issuer

    def sign(self, given: Pass) -> str:
        return self._signed(given, self._keys[given.purpose][0])

    def _signed(self, given: Pass, key: bytes) -> str:
        claims = {
            "iss": self._issuer,
            "aud": _audience(given.purpose),
            "jti": given.jti,
            "iat": int(given.issued_at.timestamp()),
            "exp": int(given.expires_at.timestamp()),
        }
        return jwt.encode(claims, key, algorithm="HS256", headers={"typ": _type(given.purpose)})

    def read(self, purpose: Purpose, token: str, now: datetime) -> Pass:
        """Raises `TokenInvalid` for whatever is not ours, not for this purpose, or over."""
        try:
            if len(token) > TOKEN_LIMIT or not token.isascii():
                raise TokenInvalid
            if jwt.get_unverified_header(token) != {"alg": "HS256", "typ": _type(purpose)}:
                raise TokenInvalid
            claims, key = self._opened(purpose, token)
            read = self._read(purpose, claims)
        except (jwt.PyJWTError, ValueError, OverflowError, OSError):
            raise TokenInvalid from None
        # Base64 leaves spare bits, and a decoder more: what we sign has one spelling.
        if now >= read.expires_at or self._signed(read, key) != token:
            raise TokenInvalid
        return read

    def _opened(self, purpose: Purpose, token: str) -> tuple[dict[str, Any], bytes]:
        """The claims, and the key that signed them."""
        for key in self._keys[purpose]:
            with suppress(jwt.InvalidSignatureError):
                return jwt.decode(token, key, algorithms=["HS256"], options=_ALL_OFF), key  # type: ignore[arg-type]
        raise TokenInvalid

    def _read(self, purpose: Purpose, claims: Mapping[str, Any]) -> Pass:
        if claims.keys() != {"iss", "aud", "jti", "iat", "exp"}:
            raise TokenInvalid
        if (claims["iss"], claims["aud"]) != (self._issuer, _audience(purpose)):
            raise TokenInvalid
        if not isinstance(claims["jti"], str) or not all(type(claims[k]) is int for k in ("iat", "exp")):
            raise TokenInvalid
        issued, expires = (datetime.fromtimestamp(claims[k], UTC) for k in ("iat", "exp"))
        return Pass(purpose=purpose, jti=claims["jti"], issued_at=issued, expires_at=expires)


def _key(purpose: Purpose, secret: str) -> bytes:
    return hashlib.sha256(f"{purpose}-pass\n{secret}".encode()).digest()


def _audience(purpose: Purpose) -> str:
    return f"alertengine:{purpose}"


def _type(purpose: Purpose) -> str:
    return f"ae-{purpose}+jwt"
