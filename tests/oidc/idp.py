"""A provider of identities by the standards, with real keys, that lies where a test wants it to."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

KEY = rsa.generate_private_key(65537, 2048)
CLIENT, SECRET = "alertengine", "a secret / of : the client"
Claims = dict[str, Any]


@dataclass
class Idp:
    """`claims` changes what the ID token says, `sign` how it is made; `asked`: what came to the token endpoint."""

    now: Callable[[], datetime]
    issuer: str = ""
    email: str = "tariro@example.com"
    claims: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str] = field(default_factory=dict)
    userinfo: Claims | None = None
    key: rsa.RSAPrivateKey = KEY
    kid: str = "first"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/jwks", self.jwks),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/userinfo", self.tell),
            ]
        )

    async def discovery(self, request: Request) -> Response:
        names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        places = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in names.items()}
        told = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **places}
        return JSONResponse(told | {"authorization_response_iss_parameter_supported": True} | self.about)

    async def jwks(self, request: Request) -> Response:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return JSONResponse({"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]})

    async def authorize(self, request: Request) -> Response:
        """Everybody is let in at once."""
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer} | self.answer
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.asked.append(form)
        begun = self.codes.pop(form.get("code", ""), None)
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        given = [unquote(part) for part in base64.b64decode(pair).decode().split(":")]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        good = begun is not None and begun["code_challenge"] == challenge.rstrip(b"=").decode()
        if scheme != "Basic" or given != [CLIENT, SECRET]:
            return JSONResponse({"error": "invalid_client"}, 401)
        if not good or begun is None or form["redirect_uri"] != begun["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = (self.sign or self.signed)(self.claims(self.usual(begun["nonce"])))
        return JSONResponse({"id_token": token, "access_token": "access", "token_type": "Bearer"})

    async def tell(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer access"
        return JSONResponse(self.userinfo)

    def usual(self, nonce: str) -> Claims:
        now = int(self.now().timestamp())
        who = {"sub": "user-1", "email": self.email, "email_verified": True}
        return {"iss": self.issuer, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 300, **who}

    def signed(self, claims: Claims, **header: Any) -> str:
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid, **header})


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
