"""Ten thousand tokens that are not ours, and the one that is."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import random
import string
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness import Patient, token_of
from stage import CRITICAL
from tapper import tap

from adversarial.conftest import Arena
from alertengine.core.approval import Claims
from alertengine.errors import TokenInvalid
from alertengine.signing import TokenSigner
from alertengine.testing import RESTART_POOL, START

FLOOD_PER_S = 200
SECRET = "a-secret-of-this-test-0123456789abcdef"
ISSUER = "https://alerts.example.com"
SIGNER = TokenSigner(SECRET, ISSUER)
KEY = SIGNER._keys[SIGNER._kid]
HEADER = {"alg": "HS256", "typ": "ae-recover+jwt", "kid": SIGNER._kid}
CLAIMS = Claims(
    issuer=ISSUER,
    contact_id="con_1",
    tenant_id="ten_1",
    incident_id="inc_1",
    round=1,
    action="restart-pool",
    digest=RESTART_POOL.digest(),
    jti="lnk_1",
    issued_at=START,
    expires_at=START,
).to_json()
CLAIMS["exp"] = CLAIMS["iat"] + 300
ALPHABET = string.ascii_letters + string.digits + "-_=.+/ \x00%é"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def spelt_otherwise(token: str) -> Iterator[str]:
    """The same signature in another spelling, all of which a lenient reader takes."""
    head, body, signature = token.split(".")
    yield from (f"{token}{tail}" for tail in ("=", "==", "\n", " ", "%3D", "\x00", ".", "..", "#", "?a"))
    yield from (f"{lead}{token}" for lead in (" ", "\n", ".", "Bearer ", "\ufeff"))
    yield f"{head}=.{body}.{signature}"
    yield f"{head}.{body}==.{signature}"
    yield token.replace("-", "+").replace("_", "/") + "="
    last = ALPHABET.index(signature[-1])
    for near in range(last - 3, last + 4):  # the spare bits of the last character
        if near != last and 0 <= near < 62:
            yield token[:-1] + ALPHABET[near]
    yield token.upper()
    yield token.swapcase()
    yield json.dumps({"protected": head, "payload": body, "signature": signature})


def mutated(token: str, rng: random.Random, times: int) -> Iterator[str]:
    """Characters changed, taken out, put in, moved, doubled."""
    for _ in range(times):
        chars = list(token)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            at = rng.randrange(len(chars))
            match rng.randrange(5):
                case 0:
                    chars[at] = rng.choice(ALPHABET.replace(chars[at], ""))
                case 1:
                    del chars[at]
                case 2:
                    chars.insert(at, rng.choice(ALPHABET))
                case 3:
                    other = rng.randrange(len(chars))
                    chars[at], chars[other] = chars[other], chars[at]
                case _:
                    chars = chars[:at] + chars[at : at + 7] + chars[at:]
        changed = "".join(chars)
        if changed != token:
            yield changed


def signed(claims: dict[str, Any], header: dict[str, Any] | None = None, key: bytes = KEY) -> str:
    """By hand, for a library refuses to write what it would read."""
    head, body = (b64(json.dumps(part).encode()) for part in ({**HEADER, **(header or {})}, claims))
    return f"{head}.{body}.{b64(hmac.digest(key, f'{head}.{body}'.encode(), 'sha256'))}"


GOOD = SIGNER.read(signed(CLAIMS), 300)
TOKEN = SIGNER.sign(GOOD)


def wrong_claims() -> Iterator[dict[str, Any]]:
    """Signed with the right key: every claim missing, of another type or value, and more than ours."""
    odd = (None, "", 0, -1, 1, True, 1e308, 1.5, [], ["x"], {}, "x" * 300, "a\x00b", "../../dev/null", "1")
    for name, value in CLAIMS.items():
        yield {key: kept for key, kept in CLAIMS.items() if key != name}
        for other in odd:
            if other != value or type(other) is not type(value):
                yield {**CLAIMS, name: other}
    yield {**CLAIMS, "exp": CLAIMS["iat"] + 302}
    yield {**CLAIMS, "exp": CLAIMS["iat"]}
    yield {**CLAIMS, "nbf": CLAIMS["iat"] - 1}
    yield {**CLAIMS, "admin": True}
    yield {**CLAIMS, "aud": [CLAIMS["aud"]]}


def wrong_headers() -> Iterator[str]:
    for change in (
        *({"typ": t} for t in ("JWT", "at+jwt", "", None)),
        *({"kid": k} for k in ("", "x", "../../dev/null", "' OR 1=1 --", "0" * 12)),
        *({name: "x"} for name in ("jku", "x5u", "cty", "zip")),
        {"crit": ["b64"], "b64": False},
        {"jwk": {"kty": "oct", "k": b64(b"x" * 32)}},
    ):
        yield signed(CLAIMS, change)
    body = b64(json.dumps(CLAIMS).encode())
    for algorithm in ("none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""):
        head = b64(json.dumps({**HEADER, "alg": algorithm}).encode())
        yield from (f"{head}.{body}.", f"{head}.{body}.{'A' * 43}")
    for size in (0, 1, 31, 32):
        yield signed(CLAIMS, key=b"k" * max(size, 1))


def is_refused(token: str) -> bool:
    try:
        SIGNER.read(token, 300)
    except TokenInvalid:
        return True
    return False


def test_ten_thousand_forged_tokens_are_refused_and_the_untouched_one_is_read() -> None:
    forged = [*spelt_otherwise(TOKEN), *wrong_headers(), *mutated(TOKEN, random.Random(7), 10_000)]
    read = [token for token in forged if not is_refused(token)]

    assert len(forged) > 10_000
    assert read == []
    assert SIGNER.read(TOKEN, 300) == GOOD


def test_every_claim_is_judged_by_name_and_type_and_none_can_be_another() -> None:
    """A text may be another one, for the reader cannot know it: then it names no link that was sent."""
    read = [claims for claims in wrong_claims() if not is_refused(signed(claims))]
    same = [claims for claims in read if SIGNER.read(signed(claims), 300) == GOOD]
    freely = {name for claims in read for name in CLAIMS if claims[name] != CLAIMS[name]}

    assert same == []
    assert freely <= {"sub", "tid", "inc", "act", "adg", "jti", "rnd"}
    assert all(type(claims[name]) is type(CLAIMS[name]) for claims in read for name in CLAIMS)


@pytest.mark.slow
@pytest.mark.xdist_group("adversarial")
def test_in_a_flood_of_forged_ones_all_are_401_and_the_engineer_is_answered_at_once(
    arena: Arena, victim: Patient
) -> None:
    victim.watched.wait_health("ok")
    victim.server.behave = CRITICAL
    incident, alert = victim.watched.wait_incident(), victim.phone.wait("alert")
    token = token_of(alert)
    forged = [t for t in [*spelt_otherwise(token), *mutated(token, random.Random(8), 800)] if t.isprintable()]
    with ThreadPoolExecutor(1) as stranger:
        flood = stranger.submit(lambda: asyncio.run(pour(arena.daemon.port, forged)))
        time.sleep(1)
        at = time.monotonic()
        answer = arena.daemon.link("confirm", alert)
        took = time.monotonic() - at
        assert not flood.done()
        ways = Counter(flood.result(60))

    assert ways == {(401, "TOKEN_INVALID"): len(forged)}
    assert not {"recovery_rejected", "link_reissued"} & set(victim.watched.types(incident))
    assert answer.status == 200
    assert took < 2
    victim.watched.wait_event(incident, "recovery_succeeded")
    assert len(arena.scripts.runs(incident)) == 1


async def pour(port: int, tokens: list[str]) -> list[tuple[int, str | None]]:
    """All of them at `FLOOD_PER_S`, whether or not the one before was answered."""
    began, asked = time.monotonic(), []
    for number, token in enumerate(tokens):
        await asyncio.sleep(began + number / FLOOD_PER_S - time.monotonic())
        decision = ("confirm", "reject", "reissue")[number % 3]
        asked.append(asyncio.create_task(tap(port, token, decision)))
    return [(status, code) for status, code, _ in await asyncio.gather(*asked)]
