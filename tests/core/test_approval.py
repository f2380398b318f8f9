"""Who may decide, and by which link."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from alertengine.core.approval import AUDIENCE, Claims, check_action, check_decidable, check_time, read_claims
from alertengine.core.events import EventType, NewEvent
from alertengine.errors import ActionChanged, NotAwaitingApproval, TokenExpired, TokenInvalid
from alertengine.signing import TokenSigner, api_key_id, new_api_key
from alertengine.testing import RESTART_POOL, START, TARIRO, make_incident

ISSUER = "https://alerts.example.com"
SIGNER = TokenSigner("s" * 8 + "0123456789abcdefghijklmnop", ISSUER)
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
    expires_at=START + timedelta(seconds=300),
)


def test_claims_survive_the_way() -> None:
    assert SIGNER.read(SIGNER.sign(CLAIMS), 300) == CLAIMS


@pytest.mark.parametrize("name", sorted(CLAIMS.to_json()))
def test_every_claim_is_needed(name: str) -> None:
    payload = CLAIMS.to_json()
    del payload[name]
    with pytest.raises(TokenInvalid):
        read_claims(payload, ISSUER, 300)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example.com"},
        {"aud": "other"},
        {"aud": [AUDIENCE]},
        {"tid": ["ten_1"]},
        {"tid": None},
        {"jti": ""},
        {"rnd": "1"},
        {"rnd": True},
        {"exp": str(CLAIMS.to_json()["exp"])},
        {"exp": 1e308},
        {"exp": CLAIMS.to_json()["exp"] + 3600},
        {"exp": CLAIMS.to_json()["iat"]},
        {"nbf": 0},
        {"iat": -(10**30), "nbf": -(10**30), "exp": -(10**30) + 300},
        {"extra": 1},
    ],
)
def test_claims_are_typed_bounded_and_ours(change: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        read_claims(CLAIMS.to_json() | change, ISSUER, 300)


@pytest.mark.filterwarnings("ignore:The HMAC key")  # it is the forger's key that is short
@pytest.mark.parametrize(
    ("algorithm", "headers"),
    [
        ("none", {}),
        ("HS384", {}),
        ("HS256", {"kid": "other"}),
        ("HS256", {"typ": "JWT"}),
        ("HS256", {"crit": ["b64"], "b64": True}),
        ("HS256", {"jku": "https://evil.example.com"}),
    ],
)
def test_only_our_own_header_counts(algorithm: str, headers: dict[str, Any]) -> None:
    own = jwt.get_unverified_header(SIGNER.sign(CLAIMS))
    key = None if algorithm == "none" else SIGNER._keys[SIGNER._kid]
    forged = jwt.encode(
        CLAIMS.to_json(), key, algorithm=algorithm, headers={**own, **headers, "alg": algorithm}
    )
    with pytest.raises(TokenInvalid):
        SIGNER.read(forged, 300)


def test_another_secret_signs_nothing_for_us() -> None:
    other = TokenSigner("t" * 8 + "0123456789abcdefghijklmnop", ISSUER)
    with pytest.raises(TokenInvalid):
        SIGNER.read(other.sign(CLAIMS), 300)


def test_every_changed_character_is_refused() -> None:
    token = SIGNER.sign(CLAIMS)
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(TokenInvalid):
            SIGNER.read(changed, 300)


@pytest.mark.parametrize("junk", ["", "x", "a.b.c", "a" * 5000, "é.é.é", "..", "\x00", "a.b." + "c" * 43])
def test_junk_is_refused_and_never_crashes(junk: str) -> None:
    with pytest.raises(TokenInvalid):
        SIGNER.read(junk, 300)


def test_a_token_is_valid_from_its_issue_to_its_end() -> None:
    check_time(CLAIMS, START)
    check_time(CLAIMS, START + timedelta(seconds=299.9))
    check_time(CLAIMS, START - timedelta(seconds=30))
    with pytest.raises(TokenExpired):
        check_time(CLAIMS, START + timedelta(seconds=300))
    with pytest.raises(TokenInvalid):
        check_time(CLAIMS, START - timedelta(seconds=31))


def test_what_is_shown_is_what_runs() -> None:
    changed = replace(RESTART_POOL, params={"name": "drop-tables"})

    check_action(RESTART_POOL, RESTART_POOL, CLAIMS)
    for current, claims in ((changed, CLAIMS), (None, CLAIMS), (changed, None)):
        with pytest.raises(ActionChanged):
            check_action(RESTART_POOL, current, claims)
    with pytest.raises(ActionChanged):
        check_action(changed, changed, CLAIMS)


def test_a_link_of_an_earlier_round_decides_nothing() -> None:
    started = [
        NewEvent(
            type=EventType.RECOVERY_AUTHORIZED,
            actor=TARIRO,
            data={"execution_id": "exe_1", "action": RESTART_POOL.to_json()},
        ),
        NewEvent(type=EventType.RECOVERY_STARTED, data={"boot": "b"}),
        NewEvent(type=EventType.RECOVERY_FAILED, data={"detail": "exit 1"}),
    ]
    incident = make_incident(*started)

    with pytest.raises(NotAwaitingApproval, match="newest message"):
        check_decidable(incident, CLAIMS)
    assert check_decidable(incident, replace(CLAIMS, round=2)) == RESTART_POOL


def test_keys_have_a_checksum_that_finds_typing_errors() -> None:
    key = new_api_key()

    assert api_key_id(key) == key.split("_")[2]
    assert api_key_id(key[:-1] + ("0" if key[-1] != "0" else "1")) is None
    assert api_key_id(key.upper()) is None
    assert api_key_id("") is None


def test_times_are_aware() -> None:
    assert SIGNER.read(SIGNER.sign(CLAIMS), 300).expires_at.tzinfo is UTC
    assert isinstance(CLAIMS.expires_at, datetime)
