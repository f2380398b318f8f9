"""Signatures by the Standard Webhooks scheme: id, timestamp and raw body under HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_S = 300


class Signer:
    """Signs and checks with one secret: `whsec_` and base64, or any text.

    Raises ValueError if what follows `whsec_` is not base64, or if there is nothing to it.
    """

    def __init__(self, secret: str) -> None:
        rest = secret.removeprefix("whsec_")
        self._key = secret.encode() if rest == secret else base64.b64decode(rest, validate=True)
        if not self._key.strip():
            raise ValueError("the secret is empty")

    def __repr__(self) -> str:
        return "Signer(***)"

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The value of the header `webhook-signature`."""
        signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
        return "v1," + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self.sign(message_id, timestamp, body),
        }

    def valid(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """Whether one of the signatures given is right and no more than 300 s old or early."""
        message_id = headers.get("webhook-id", "")
        stamp = headers.get("webhook-timestamp", "")
        if not message_id or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
            return False
        if abs(now - int(stamp)) > TOLERANCE_S:
            return False
        right = self.sign(message_id, int(stamp), body).encode()
        given = headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(right, one.encode("utf-8", "replace")) for one in given)
