"""Sign-in with an OpenID provider: the code flow with PKCE, and every check that its answer needs.

All requests go through the one HTTP client, with its deadline and its guard. The provider's times are judged by the
wall clock, as the provider has them; how long somebody takes, by effective time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt

from alertengine.core.approval import refusal
from alertengine.core.people import mailbox_key
from alertengine.errors import ConfigError, HttpError, SignInFailed
from alertengine.http import Http
from alertengine.ports import Clock, Identity, SignIn
from alertengine.signing import Vault

TIMEOUT_S = 8.0
SKEW_S = 30
LIFE_S = 600
"""How long somebody may take at their provider."""
FRESH_S = 3600.0
"""How long what the provider says of itself is believed."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has; never `none`, never our own secret."""
_NO_TIMES = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How we are known to the provider, and which claims name a person."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    scope: str = "openid email profile"
    email_claim: str = "email"
    tenant_claim: str | None = None
    """Names the tenants somebody may act for; None where their mailbox alone decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the provider says of itself."""

    at: float
    about: Mapping[str, Any]
    keys: Sequence[Mapping[str, Any]]


class OpenId:
    def __init__(self, client: Client, http: Http, clock: Clock, secret: str) -> None:
        self._client = client
        self._http = http
        self._clock = clock
        self._vault = Vault(f"sign-in\n{secret}")
        self._known: _Known | None = None

    async def begin(self, redirect_uri: str, back: str) -> SignIn:
        known = await self._provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._client.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = known.about["authorization_endpoint"]
        until = self._clock.now().timestamp() + LIFE_S
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "back": back, "until": until}
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"
        return SignIn(url=url, kept=self._vault.seal(json.dumps(kept)), life_s=LIFE_S)

    async def finish(self, redirect_uri: str, kept: str, answer: Mapping[str, str]) -> Identity:
        began = self._began(kept, answer.get("state", ""))
        known = await self._provider()
        self._check_answer(known, answer)
        got = await self._redeem(known, redirect_uri, answer["code"], began["verifier"])
        claims = await self._claims(known, got["id_token"])
        self._check_claims(claims, began["nonce"], self._clock.wall())
        return self._identity(await self._told(known, got, claims), began)

    def _began(self, kept: str, state: str) -> dict[str, Any]:
        """The sign-in that this browser began, and no other."""
        try:
            began: dict[str, Any] = json.loads(self._vault.open(kept))
        except (ConfigError, ValueError):
            raise SignInFailed from None
        if not secrets.compare_digest(began["state"].encode(), state.encode()):
            raise SignInFailed
        if self._clock.now().timestamp() >= began["until"]:
            raise refusal("refused.sign_in.late", SignInFailed)
        return began

    def _check_answer(self, known: _Known, answer: Mapping[str, str]) -> None:
        """RFC 9207: the answer is from the provider that was asked, and not from another one."""
        issuer = answer.get("iss")
        promised = known.about.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and promised) or issuer not in (None, self._client.issuer):
            raise SignInFailed
        if answer.get("error") or not answer.get("code"):
            raise refusal("refused.sign_in.denied", SignInFailed)

    async def _redeem(self, known: _Known, redirect_uri: str, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        form, headers = self._authenticated(known, form, headers)
        got = await self._fetch("POST", known.about["token_endpoint"], headers, urlencode(form).encode())
        if not isinstance(got.get("id_token"), str) or str(got.get("token_type", "")).lower() != "bearer":
            raise SignInFailed
        return got

    async def _told(
        self, known: _Known, got: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Many providers keep the ID token short and tell the mailbox when they are asked for it."""
        endpoint, access = known.about.get("userinfo_endpoint"), got.get("access_token")
        if self._client.email_claim in claims or not isinstance(access, str):
            return claims
        if not _as_safe(endpoint, self._client.issuer):
            return claims
        said = await self._fetch("GET", str(endpoint), {"authorization": f"Bearer {access}"})
        if not isinstance(claims.get("sub"), str) or said.get("sub") != claims["sub"]:
            raise SignInFailed
        return {**said, **claims}

    def _authenticated(
        self, known: _Known, form: dict[str, str], headers: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """As the provider wants it: in a header unless it takes the form alone; without a secret just our name."""
        client, methods = self._client, known.about.get("token_endpoint_auth_methods_supported")
        if client.client_secret is None:
            return form | {"client_id": client.client_id}, headers
        if methods and "client_secret_basic" not in methods:
            return form | {"client_id": client.client_id, "client_secret": client.client_secret}, headers
        pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
        return form, headers | {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def _claims(self, known: _Known, token: str) -> dict[str, Any]:
        """What the token says, if the provider signed it."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS or "crit" in header:
                raise SignInFailed
            key = _key(known.keys, header) or _key((await self._provider(anew=True)).keys, header)
            if key is None:
                raise SignInFailed
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=[header["alg"]], options=_NO_TIMES)  # type: ignore[arg-type]
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise SignInFailed from None
        return claims

    def _check_claims(self, claims: Mapping[str, Any], nonce: str, now: datetime) -> None:
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        party = claims.get("azp")
        if claims.get("iss") != self._client.issuer or self._client.client_id not in named:
            raise SignInFailed
        if (len(named) > 1 and party is None) or party not in (None, self._client.client_id):
            raise SignInFailed
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise SignInFailed
        times = [claims.get("exp"), claims.get("iat"), claims.get("nbf", claims.get("iat"))]
        if not all(type(t) in (int, float) for t in times):
            raise SignInFailed
        expires, issued, begins = times
        moment = now.timestamp()
        if not (moment < expires + SKEW_S and moment > max(issued, begins) - SKEW_S):
            raise SignInFailed
        if moment - issued > LIFE_S:
            raise SignInFailed

    def _identity(self, claims: Mapping[str, Any], began: Mapping[str, Any]) -> Identity:
        email = claims.get(self._client.email_claim)
        if not isinstance(email, str) or "@" not in email:
            raise refusal("refused.sign_in.no_mailbox", SignInFailed)
        if claims.get("email_verified") is not True:
            raise refusal("refused.sign_in.unverified", SignInFailed)
        tenants = None
        if self._client.tenant_claim is not None:
            said = claims.get(self._client.tenant_claim)
            rows = said if isinstance(said, list) else [said]
            tenants = tuple(t for t in rows if isinstance(t, str))
        state = hashlib.sha256(str(began["state"]).encode()).hexdigest()[:32]
        return Identity(email=mailbox_key(email), tenants=tenants, back=str(began["back"]), occasion=state)

    async def _provider(self, *, anew: bool = False) -> _Known:
        now, known = self._clock.monotonic(), self._known
        if known is not None and now - known.at < (10.0 if anew else FRESH_S):
            return known
        issuer = self._client.issuer
        about = await self._fetch("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if about.get("issuer") != issuer or not all(_as_safe(about.get(n), issuer) for n in needed):
            raise refusal("refused.sign_in.misfit", SignInFailed)
        listed = (await self._fetch("GET", about["jwks_uri"])).get("keys")
        keys = [k for k in listed if isinstance(k, dict)] if isinstance(listed, list) else []
        self._known = _Known(at=now, about=about, keys=keys)
        return self._known

    async def _fetch(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> dict[str, Any]:
        try:
            answer = await self._http.fetch(method, url, timeout_s=TIMEOUT_S, headers=headers, body=body)
            said = answer.json() if answer.status == 200 else None
        except (HttpError, ValueError, RecursionError):
            raise refusal("refused.sign_in.silent", SignInFailed) from None
        if not isinstance(said, dict):
            raise SignInFailed
        return said


def _as_safe(url: Any, issuer: str) -> bool:
    """A provider that is asked over TLS leads to no place without it."""
    if not isinstance(url, str):
        return False
    scheme = urlsplit(url).scheme
    return scheme == "https" or (scheme == "http" and urlsplit(issuer).scheme == "http")


def _key(keys: Sequence[Mapping[str, Any]], header: Mapping[str, Any]) -> jwt.PyJWK | None:
    """The key that the token names; without a name, the only one that fits."""
    fit = [k for k in keys if k.get("use") in (None, "sig") and k.get("alg") in (None, header["alg"])]
    found = [k for k in fit if k.get("kid") == header["kid"]] if "kid" in header else fit
    if len(found) != 1 or found[0].get("kty") not in ("RSA", "EC", "OKP"):
        return None
    return jwt.PyJWK(dict(found[0]), algorithm=header["alg"])
