"""Secrets at work: signed requests (Standard Webhooks), recovery tokens, API keys, sealed settings."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import jwt
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import AfterValidator, SecretStr

from alertengine.core.approval import Claims, read_claims
from alertengine.errors import ConfigError, TokenInvalid

TOLERANCE_S = 300
TOKEN_LIMIT = 2048
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")
_BASE62 = string.digits + string.ascii_letters


def webhook_key(secret: str) -> bytes:
    """The HMAC key of a secret: base64 after `whsec_`, else its UTF-8 bytes."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ConfigError(["a secret that begins with whsec_ must go on in base64"]) from None


def _signable(secret: SecretStr) -> SecretStr:
    try:
        webhook_key(secret.get_secret_value())
    except ConfigError as error:
        raise ValueError(error.problems[0]) from None
    return secret


WebhookSecret = Annotated[SecretStr, AfterValidator(_signable)]
"""A configured secret that signs: refused at the start, not at the first message, where it cannot."""


def webhook_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(webhook_key(secret), signed, "sha256")).decode()


def webhook_headers(
    secret: str, message_id: str, timestamp: int, body: bytes, *, before: Sequence[str] = ()
) -> dict[str, str]:
    """Standard Webhooks headers. `message_id` is the idempotency key; `timestamp` is in Unix seconds; `before`: secrets
    that receivers may know still, which sign as well."""
    signed = [webhook_signature(one, message_id, timestamp, body) for one in (secret, *before)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signed),
    }


def webhook_verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """The request was signed with `secret` not more than five minutes before or after `now` (Unix seconds)."""
    stamp = headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 15) or abs(now - int(stamp)) > TOLERANCE_S:
        return False
    expected = webhook_signature(secret, headers.get("webhook-id", ""), int(stamp), body)
    offered = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one.encode(), expected.encode()) for one in offered)


def tenant_secrets(purpose: str, tenant: str, *secrets: str) -> tuple[str, ...]:
    """What signs a tenant's calls that were given no secret: made of the daemon's secret, and of those before it.

    `purpose`: "webhook" for what is told to the tenant's own URLs, whose secret it knows, or "recovery" for what an
    operator's http action runs, whose secret it must not know.
    """
    label = f"{purpose}\n{tenant}".encode()
    keys = [hmac.digest(one.encode(), label, "sha256") for one in secrets]
    return tuple("whsec_" + base64.b64encode(key).decode() for key in keys)


class TokenSigner:
    """Recovery tokens: compact JWS, HS256 alone, one spelling each.

    `previous`: secrets whose links still read. The newest signs.
    """

    def __init__(self, secret: str, issuer: str, previous: Sequence[str] = ()) -> None:
        keys = [hashlib.sha256(b"recovery-token\n" + s.encode()).digest() for s in (secret, *previous)]
        self._keys = {hashlib.sha256(b"kid\n" + key).hexdigest()[:12]: key for key in keys}
        self._kid = next(iter(self._keys))
        self._issuer = issuer

    @property
    def issuer(self) -> str:
        return self._issuer

    def sign(self, claims: Claims) -> str:
        return jwt.encode(
            claims.to_json(),
            self._keys[self._kid],
            algorithm="HS256",
            headers={"typ": "ae-recover+jwt", "kid": self._kid},
        )

    def read(self, token: str, max_life_s: float) -> Claims:
        """The claims, whatever the time; raises `TokenInvalid` for anything that we did not sign just so."""
        if len(token) > TOKEN_LIMIT or not _TOKEN.fullmatch(token) or not _canonical(token):
            raise TokenInvalid
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if kid not in self._keys or header != {"alg": "HS256", "typ": "ae-recover+jwt", "kid": kid}:
                raise TokenInvalid
            # PyJWT would read the machine's clock; times are compared in core/approval.py.
            payload: dict[str, Any] = jwt.decode(
                token,
                self._keys[kid],
                algorithms=["HS256"],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise TokenInvalid from None
        return read_claims(payload, self._issuer, max_life_s)

    def short_code(self, jti: str) -> str:
        """Four digits that name a link to the person who has it; no secret, for it is told apart among theirs."""
        return _short(self.form_token(f"code {jti}"))

    def is_short_code(self, jti: str, code: str) -> bool:
        return any(code == _short(proof) for proof in self._proofs(f"code {jti}"))

    def invitation(self, contact: str, code: str) -> str:
        """What a link writes for somebody who was sent this code: another, for a link goes through more hands."""
        written = int(self.form_token(f"invitation {contact} {code}"), 16) % 10**6
        return f"{written:06d}" if f"{written:06d}" != code else f"{(written + 1) % 10**6:06d}"

    def form_token(self, jti: str) -> str:
        """Goes with the page's own form: who posts it has seen the page, not the link alone."""
        return next(self._proofs(jti))

    def is_form_token(self, jti: str, given: str) -> bool:
        return any(hmac.compare_digest(given.encode(), proof.encode()) for proof in self._proofs(jti))

    def _proofs(self, jti: str) -> Iterator[str]:
        """By each key, the newest first."""
        for key in self._keys.values():
            form_key = hmac.digest(key, b"form", "sha256")
            yield hmac.new(form_key, jti.encode(), "sha256").hexdigest()[:32]


def _short(proof: str) -> str:
    return f"{int(proof, 16) % 10_000:04d}"


def _canonical(token: str) -> bool:
    """Each part re-encodes to itself: base64 leaves spare bits that could spell one token in several ways."""
    for part in token.split("."):
        try:
            raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except binascii.Error:
            return False
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
            return False
    return True


def fingerprint(jti: str) -> str:
    """What the record keeps of a token: enough to recognise it, nothing to use."""
    return hashlib.sha256(jti.encode()).hexdigest()[:16]


API_KEY = re.compile(r"aek_live_([0-9A-Za-z]{8})_([0-9A-Za-z]{40})_([0-9A-Za-z]{6})")
"""`aek_live_<id>_<secret>_<CRC-32 in base 62>`, for secret scanners."""


def new_api_key() -> str:
    key_id, secret = ("".join(secrets.choice(_BASE62) for _ in range(n)) for n in (8, 40))
    body = f"aek_live_{key_id}_{secret}"
    return f"{body}_{_checksum(body)}"


def new_code() -> str:
    """Six digits that a person types in once."""
    return f"{secrets.randbelow(10**6):06d}"


def api_key_id(key: str) -> str | None:
    """The public part of a well-formed key; None for everything else, typing errors included."""
    match = API_KEY.fullmatch(key)
    if match is None or _checksum(key.rpartition("_")[0]) != match[3]:
        return None
    return match[1]


def api_key_hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _checksum(text: str) -> str:
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits


class Vault:
    """Seals secrets that must be kept, so that the store and its backups do not hold them readable.

    `previous`: secrets whose seals still open.
    """

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        keys = [hashlib.sha256(b"vault\n" + s.encode()).digest() for s in (secret, *previous)]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigError(
                [
                    "auth.secret: a stored secret was sealed with another one; put back the secret of this data, or "
                    "list it in auth.previous_secrets"
                ]
            ) from None

    def reseal(self, sealed: str) -> str:
        """The same under today's secret. Raises `ConfigError` like `open`."""
        self.open(sealed)
        return self._fernet.rotate(sealed.encode()).decode()
