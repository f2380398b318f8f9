"""Sign-in by OpenID: the whole way over HTTP, and every lie that a provider, a browser or a stranger could tell."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from idp import CLIENT, SECRET, Claims, Idp, query

from alertengine.clock import SystemClock
from alertengine.core.authority import PinFor, Rules
from alertengine.core.limit import Limit
from alertengine.daemon import serving
from alertengine.http import Http
from alertengine.oidc import Client, OpenId
from alertengine.pipeline import limits, refusals
from alertengine.pipeline.onboard import Application, NewContact, onboard
from alertengine.pipeline.rehearse import rehearse
from alertengine.ports import Clock
from alertengine.store import people, system
from alertengine.web.app import create_app
from link_states import alerted, token_of
from world import World

EMAIL = "tariro@example.com"


@dataclass
class Stage:
    """A provider, the daemon, and a browser between them."""

    world: World
    idp: Idp
    url: str
    browser: httpx2.AsyncClient

    async def begin(self, **params: str) -> httpx2.Response:
        return await self.browser.get(f"{self.url}/signin", params=params)

    async def through(self, answer: httpx2.Response) -> str:
        """Through the provider; answers the address that it sends the browser back to."""
        assert answer.status_code == 303, answer.text
        granted = await self.browser.get(answer.headers["location"])
        back: str = granted.headers["location"]
        return back

    async def sign_in(self, **params: str) -> httpx2.Response:
        return await self.browser.get(await self.through(await self.begin(**params)))

    async def look(self) -> httpx2.Response:
        return await self.browser.get(f"{self.url}/incidents")


@asynccontextmanager
async def listening(app: Callable[[str], Any]) -> AsyncIterator[str]:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(app(url), log_config=None, access_log=False, lifespan="off")
        async with serving(config, listener):
            yield url


@asynccontextmanager
async def daemon(world: World, issuer: str, secret: str, clock: Clock) -> AsyncIterator[str]:
    http = Http()
    client = Client(issuer=issuer, client_id=CLIENT, client_secret=secret)

    def app(url: str) -> Any:
        identities = OpenId(client, http, clock, "a secret of the daemon")
        world.engine = replace(world.engine, base_url=url, identities=identities)
        return create_app(world.engine, "admin")

    async with listening(app) as url:
        yield url
    await http.close()


def browser() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"accept": "text/html"}, trust_env=False, timeout=60)


@pytest.fixture
async def stage(world: World) -> AsyncIterator[Stage]:
    idp = Idp(now=world.clock.now)

    def provider(url: str) -> Any:
        idp.issuer = url
        return idp.app()

    await knows(world)
    async with (
        listening(provider) as issuer,
        daemon(world, issuer, SECRET, world.engine.clock) as url,
        browser() as client,
    ):
        yield Stage(world, idp, url, client)


async def knows(world: World, email: str | None = EMAIL, name: str = "Tariro") -> None:
    await world.engine.store.transact(lambda tx: people.set_email(tx, world.tenant, name, email))


async def share(world: World) -> None:
    await world.engine.store.transact(
        lambda tx: tx.execute("UPDATE contact SET shared = 1 WHERE name = 'ops'")
    )


def page_of(text: str) -> str:
    found = re.search(r'name="page" value="([^"]+)"', text)
    assert found
    return found[1]


async def test_signing_in_shows_the_incidents_and_signing_out_ends_it(stage: Stage) -> None:
    await rehearse(stage.world.engine, stage.world.tenant)
    assert (await stage.look()).status_code == 401
    answer = await stage.sign_in()
    assert answer.status_code == 303
    cookie = answer.headers.get_list("set-cookie")[0]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    listed = await stage.browser.get(urljoin(str(answer.url), answer.headers["location"]))
    assert "Incidents of payments" in listed.text
    assert EMAIL in listed.text

    story = re.search(r'href="(incident/[^"]+)"', listed.text)
    assert story
    assert (await stage.browser.get(urljoin(f"{stage.url}/", story[1]))).status_code == 200
    kept = dict(stage.browser.cookies)
    out = await stage.browser.post(f"{stage.url}/signout", data={"page": page_of(listed.text)})
    assert out.status_code == 303
    assert (await stage.browser.get(urljoin(f"{stage.url}/", out.headers["location"]))).status_code == 200
    assert (await stage.look()).status_code == 401
    stage.browser.cookies.update(kept)
    assert (await stage.look()).status_code == 401, "a copied cookie ends with the session"


async def test_the_request_to_the_provider_gives_nothing_away(stage: Stage) -> None:
    token = await _link(stage)
    answer = await stage.begin(token=token)
    asked = query(answer.headers["location"])
    ours = {"response_type", "client_id", "redirect_uri", "scope"}
    assert asked.keys() == ours | {"state", "nonce", "code_challenge", "code_challenge_method"}
    assert token not in answer.headers["location"]
    assert token not in str(dict(stage.browser.cookies)), "what the browser keeps is sealed"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def _link(stage: Stage) -> str:
    await alerted(stage.world, polls=1)
    return token_of(stage.world)


LIES: dict[str, Callable[[Claims], Claims]] = {
    "wrong issuer": lambda c: c | {"iss": "https://elsewhere.example"},
    "issuer with a slash more": lambda c: c | {"iss": c["iss"] + "/"},
    "no issuer": lambda c: {k: v for k, v in c.items() if k != "iss"},
    "wrong audience": lambda c: c | {"aud": "another"},
    "several audiences, no party": lambda c: c | {"aud": [CLIENT, "another"]},
    "another party": lambda c: c | {"aud": [CLIENT, "another"], "azp": "another"},
    "no audience": lambda c: {k: v for k, v in c.items() if k != "aud"},
    "wrong nonce": lambda c: c | {"nonce": "another"},
    "no nonce": lambda c: {k: v for k, v in c.items() if k != "nonce"},
    "expired": lambda c: c | {"exp": c["iat"] - 31},
    "no expiry": lambda c: {k: v for k, v in c.items() if k != "exp"},
    "expiry as text": lambda c: c | {"exp": "9999999999"},
    "expiry as true": lambda c: c | {"exp": True},
    "from the future": lambda c: c | {"iat": c["iat"] + 3600, "exp": c["exp"] + 7200},
    "not valid yet": lambda c: c | {"nbf": c["iat"] + 3600},
    "of long ago": lambda c: c | {"iat": c["iat"] - 3600},
    "unverified mailbox": lambda c: c | {"email_verified": False},
    "mailbox of unknown verification": lambda c: {k: v for k, v in c.items() if k != "email_verified"},
    "verified, as text": lambda c: c | {"email_verified": "true"},
    "a stranger's mailbox": lambda c: c | {"email": "stranger@example.com"},
    "mailbox as a list": lambda c: c | {"email": ["tariro@example.com"]},
    "mailbox of many": lambda c: c | {"email": "%"},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_token_that_is_not_just_right_lets_nobody_in(stage: Stage, lie: str) -> None:
    stage.idp.claims = LIES[lie]
    answer = await stage.sign_in()
    assert answer.status_code == 401, lie
    assert "not signed in" in answer.text
    assert (await stage.look()).status_code == 401
    await stage.world.settle()
    [refusal] = await stage.world.engine.store.fetch(system.about(refusals.SUBJECT, 9))
    assert refusal.data["code"] == "SIGN_IN_FAILED"
    assert refusal.data["operation"] == "GET /signin/callback"


def _by(change: Callable[[Idp, Claims], str]) -> Callable[[Idp, Claims], str]:
    return change


def _hmac_with_the_public_key(idp: Idp, claims: Claims) -> str:
    """The old confusion: our verifier must not take the provider's public key for a shared secret."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = idp.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    import base64
    import hmac
    import json

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT", "kid": idp.kid}) + b"." + part(claims)
    mac = base64.urlsafe_b64encode(hmac.digest(pem, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + mac).decode()


FORGERIES: dict[str, Callable[[Idp, Claims], str]] = {
    "alg none": _by(lambda idp, c: jwt.encode(c, None, algorithm="none", headers={"kid": idp.kid})),
    "alg HS256 by the client's secret": _by(
        lambda idp, c: jwt.encode(c, SECRET.ljust(32), headers={"kid": idp.kid})
    ),
    "alg HS256 by the public key": _hmac_with_the_public_key,
    "another key of the same name": _by(
        lambda idp, c: jwt.encode(
            c, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": idp.kid}
        )
    ),
    "a key that is not published": _by(lambda idp, c: idp.signed(c, kid="other")),
    "another algorithm than the key's": _by(
        lambda idp, c: jwt.encode(c, idp.key, algorithm="RS512", headers={"kid": idp.kid})
    ),
    "with an extension that must be understood": _by(lambda idp, c: idp.signed(c, crit=["x"], x=1)),
    "with a changed claim": _by(
        lambda idp, c: idp.signed(c).replace(
            idp.signed(c).split(".")[1], idp.signed(c | {"a": 1}).split(".")[1]
        )
    ),
    "no token": _by(lambda idp, c: ""),
    "no text": _by(lambda idp, c: "é.é.é"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(stage: Stage, forgery: str) -> None:
    stage.idp.sign = lambda claims: FORGERIES[forgery](stage.idp, claims)
    assert (await stage.sign_in()).status_code == 401
    assert (await stage.look()).status_code == 401


async def test_a_provider_that_changes_its_keys_is_asked_for_them(stage: Stage) -> None:
    assert (await stage.sign_in()).status_code == 303
    stage.idp.key, stage.idp.kid = rsa.generate_private_key(65537, 2048), "second"
    stage.world.clock.advance(11)
    assert (await stage.sign_in()).status_code == 303


@pytest.mark.parametrize(
    "answer",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": ""},
        {"state": "another"},
        {"state": ""},
        {"error": "access_denied"},
        {"code": ""},
    ],
    ids=str,
)
async def test_an_answer_that_was_not_asked_for_lets_nobody_in(stage: Stage, answer: dict[str, str]) -> None:
    stage.idp.answer = answer
    assert (await stage.sign_in()).status_code == 401
    assert stage.idp.asked == [], "no code is sent anywhere for it"


async def test_another_browser_cannot_be_signed_in_by_a_link(stage: Stage) -> None:
    """Login CSRF: an attacker's own code and state are worth nothing in a victim's browser."""
    back = await stage.through(await stage.begin())
    async with browser() as victim:
        assert (await victim.get(back)).status_code == 401
        assert (await victim.get(f"{stage.url}/incidents")).status_code == 401
        await victim.get(f"{stage.url}/signin")
        assert (await victim.get(back)).status_code == 401


async def test_a_code_and_an_answer_count_once(stage: Stage) -> None:
    begun = await stage.begin()
    kept = dict(stage.browser.cookies)
    back = await stage.through(begun)
    assert (await stage.browser.get(back)).status_code == 303
    stage.browser.cookies.update(kept)
    assert (await stage.browser.get(back)).status_code == 401, "the provider takes its code once"
    stage.idp.codes["code-0"] = query(begun.headers["location"])
    assert (await stage.browser.get(back)).status_code == 401, "and if it did not, the occasion counts once"


async def test_who_takes_too_long_begins_again(stage: Stage) -> None:
    back = await stage.through(await stage.begin())
    stage.world.clock.advance(601)
    assert "too long" in (await stage.browser.get(back)).text


async def test_a_wall_clock_that_was_set_back_keeps_nobody_out(stage: Stage) -> None:
    """Effective time stays where it was, an hour ahead of the provider's."""
    stage.world.clock.set_wall(stage.world.clock.wall() - timedelta(hours=1))
    assert stage.world.engine.now() - stage.world.clock.wall() > timedelta(minutes=59)
    assert (await stage.sign_in()).status_code == 303
    assert (await stage.look()).status_code == 200


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=lambda about: next(iter(about)),
)
async def test_a_provider_that_describes_another_is_not_used(stage: Stage, about: dict[str, Any]) -> None:
    stage.idp.about = about
    answer = await stage.begin()
    assert answer.status_code == 401
    assert "Tell the operator" in answer.text


async def test_the_mailbox_may_be_told_beside_the_token(stage: Stage) -> None:
    def short(claims: Claims) -> Claims:
        return {k: v for k, v in claims.items() if not k.startswith("email")}

    stage.idp.claims = short
    stage.idp.userinfo = {"sub": "user-2", "email": EMAIL, "email_verified": True}
    assert (await stage.sign_in()).status_code == 401, "told of somebody else"
    stage.idp.userinfo = {"sub": "user-1", "email": EMAIL, "email_verified": True}
    assert (await stage.sign_in()).status_code == 303


# What a session is worth


async def test_a_session_ends_with_its_person_its_plan_and_its_time(stage: Stage) -> None:
    world = stage.world
    await stage.sign_in()
    assert (await stage.look()).status_code == 200

    async def set_(sql: str) -> None:
        await world.engine.store.transact(lambda tx: tx.execute(sql))

    for gone, back in (
        ("UPDATE contact SET verified_at = NULL", "UPDATE contact SET verified_at = '2026-01-01T00:00:00Z'"),
        ("UPDATE tenant SET plan = 'scale'", "UPDATE tenant SET plan = 'enterprise'"),
        ("UPDATE tenant SET status = 'suspended'", "UPDATE tenant SET status = 'active'"),
        ("UPDATE person SET email = NULL", f"UPDATE person SET email = '{EMAIL}'"),
    ):
        await set_(gone)
        assert (await stage.look()).status_code == 401, gone
        await set_(back)
        assert (await stage.look()).status_code == 200, back
    world.clock.advance(12 * 3600)
    assert (await stage.look()).status_code == 401


async def test_a_plan_without_it_lets_nobody_in(stage: Stage) -> None:
    await stage.world.engine.store.transact(lambda tx: tx.execute("UPDATE tenant SET plan = 'scale'"))
    assert (await stage.sign_in()).status_code == 401


async def test_a_session_shows_the_tenants_that_know_the_mailbox_and_no_other(stage: Stage) -> None:
    world = stage.world
    made = [
        await onboard(
            world.engine,
            Application(
                service_name=name,
                health_url="http://127.0.0.1:1/h",
                contacts=[NewContact(name="Tariro", channel="console")],
            ),
        )
        for name in ("ledger", "foreign")
    ]
    await world.engine.store.transact(lambda tx: people.set_email(tx, made[0].tenant.id, "Tariro", EMAIL))
    foreign = await rehearse(world.engine, made[1].tenant.id)
    own = await rehearse(world.engine, made[0].tenant.id)
    await stage.sign_in()
    page = await stage.look()
    assert "foreign" not in page.text
    other = await stage.browser.get(f"{stage.url}/incidents", params={"tenant": made[0].tenant.id})
    assert own in other.text
    asked = await stage.browser.get(f"{stage.url}/incidents", params={"tenant": made[1].tenant.id})
    assert foreign not in asked.text
    assert (await stage.browser.get(f"{stage.url}/incident/{own}")).status_code == 200
    assert (await stage.browser.get(f"{stage.url}/incident/{foreign}")).status_code == 401


async def test_cookies_that_are_not_ours_are_none(stage: Stage) -> None:
    await stage.sign_in()
    good = stage.browser.cookies["ae-session"]
    for cookie in (good[:-1], good + "=", "x", "a.b.c", "", good.replace(".", "..", 1)):
        async with browser() as other:
            other.cookies.set("ae-session", cookie)
            assert (await other.get(f"{stage.url}/incidents")).status_code == 401


# Deciding where several read


async def shared_link(stage: Stage) -> tuple[str, str]:
    """(incident, token) of a link that went to a place that several people read."""
    world = stage.world
    from alertengine.core.model import Contact
    from alertengine.store import directory

    ops = Contact(
        id="con_ops",
        tenant_id=world.tenant,
        name="ops",
        channel="console",
        verified_at=world.engine.now(),
        shared=True,
    )
    await world.engine.store.transact(lambda tx: directory.add_contact(tx, ops))
    incident = await alerted(world, polls=1)
    return incident, token_of(world, "ops")


async def test_who_signs_in_decides_where_several_read_and_is_named(stage: Stage) -> None:
    incident, token = await shared_link(stage)
    url = f"{stage.url}/action/recover"
    page = await stage.browser.get(url, params={"token": token})
    href = re.search(r'href="([^"]*signin[^"]*)"', page.text)
    assert href
    begun = await stage.browser.get(urljoin(str(page.url), href[1]))
    done = await stage.browser.get(await stage.through(begun))
    back = await stage.browser.get(urljoin(str(done.url), done.headers["location"]))
    assert str(back.url).startswith(url)
    form = {"token": token, "page": page_of(back.text), "decision": "run"}
    answer = await stage.browser.post(f"{url}/confirm", data=form)
    assert answer.status_code == 303, answer.text
    event = next(e for e in await stage.world.events(incident) if e.type == "recovery_authorized")
    assert event.actor.name == "Tariro"
    assert event.data["signed_in"] == EMAIL


async def test_a_form_from_before_signing_in_is_not_the_signed_in_person_s(stage: Stage) -> None:
    """What a stranger saw of the page in the channel is no proof in the browser of who is signed in."""
    incident, token = await shared_link(stage)
    stranger = stage.world.engine.tokens.form_token(stage.world.engine.tokens.read(token, 600).jti)
    await stage.sign_in()
    form = {"token": token, "page": stranger, "decision": "run"}
    answer = await stage.browser.post(f"{stage.url}/action/recover/confirm", data=form)
    assert answer.status_code == 403
    cross = await stage.browser.post(
        f"{stage.url}/action/recover/confirm", data=form, headers={"sec-fetch-site": "cross-site"}
    )
    assert cross.status_code == 403
    assert (await stage.world.incident(incident)).stage == "ALERTED"


@pytest.mark.parametrize("what", ["viewer", "stranger"])
async def test_signed_in_is_not_yet_an_approver(stage: Stage, what: str) -> None:
    incident, token = await shared_link(stage)
    if what == "viewer":
        await stage.world.engine.store.transact(
            lambda tx: tx.execute("UPDATE contact SET role = 'viewer' WHERE name = 'Tariro'")
        )
    await stage.sign_in()
    if what == "stranger":
        await knows(stage.world, None)
    answer = await stage.browser.post(
        f"{stage.url}/action/recover/confirm", data={"token": token}, headers={"accept": "*/*"}
    )
    assert answer.status_code == 403
    assert (await stage.world.incident(incident)).stage == "ALERTED"


async def test_who_signed_in_and_has_a_link_of_their_own_counts_once(stage: Stage) -> None:
    world = stage.world
    await shared_link(stage)
    world.clock.advance(2000)
    await world.heal()
    world.clock.advance(1000)
    incident = await alerted(world, approvals=2, polls=1)
    await stage.sign_in()
    post = f"{stage.url}/action/recover/confirm"
    json = {"accept": "application/json"}
    one = await stage.browser.post(post, data={"token": token_of(world, "ops")}, headers=json)
    other = await stage.browser.post(post, data={"token": token_of(world)}, headers=json)
    assert (one.status_code, one.json()["authorized"]) == (200, False)
    assert other.status_code == 409
    assert "recovery_authorized" not in await world.types(incident)


async def test_who_is_signed_in_sets_their_own_pin(stage: Stage) -> None:
    page = await stage.browser.get(f"{stage.url}/pin")
    assert page.status_code == 401
    await stage.sign_in()
    page = await stage.browser.get(f"{stage.url}/pin")
    proof = page_of(page.text)

    async def post(**form: str) -> int:
        return (await stage.browser.post(f"{stage.url}/pin", data=form)).status_code

    assert await post(pin="739154", again="739154") == 422
    assert await post(pin="739154", again="739155", page=proof) == 422
    assert await post(pin="123456", again="123456", page=proof) == 422
    assert await post(pin="739154", again="739154", page=proof) == 200
    stage.world.engine = replace(stage.world.engine, rules=Rules(pin=PinFor.ALWAYS))
    person = await stage.world.engine.store.fetch(people.person(stage.world.tenant, "Tariro"))
    assert person is not None
    assert person.pin is not None
    assert "739154" not in person.pin


async def test_who_signs_in_or_sets_pins_too_often_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.LIMITS, "signin", Limit(per_s=0.01, burst=3))  # type: ignore[misc]
    monkeypatch.setitem(limits.LIMITS, "pin", Limit(per_s=0.01, burst=1))  # type: ignore[misc]
    assert (await stage.sign_in()).status_code == 303
    back = await stage.through(await stage.begin())
    for answer in (await stage.begin(), await stage.browser.get(back)):
        assert (answer.status_code, int(answer.headers["retry-after"]) > 10) == (429, True)

    proof = page_of((await stage.browser.get(f"{stage.url}/pin")).text)
    form = {"pin": "739154", "again": "739154", "page": proof}
    posted = [await stage.browser.post(f"{stage.url}/pin", data=form) for _ in range(2)]
    assert [answer.status_code for answer in posted] == [200, 422]
    assert "Too many" in posted[1].text


# A provider of somebody else's

MODULES = os.environ.get("OIDC_PROVIDER")


@pytest.fixture
def port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        number: int = free.getsockname()[1]
    return number


@asynccontextmanager
async def certified(callback: str) -> AsyncIterator[str]:
    """The issuer of a certified provider in a process of its own."""
    script = Path(__file__).with_name("provider.mjs")
    process = subprocess.Popen(
        ["node", str(script), str(MODULES), callback],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.skipif(
    MODULES is None or shutil.which("node") is None,
    reason="needs node and npm's oidc-provider: OIDC_PROVIDER=DIR/node_modules",
)
@pytest.mark.parametrize(
    ("who", "let_in"), [(EMAIL, True), ("unverified@example.com", False), ("x@example.com", False)]
)
async def test_a_certified_provider_lets_in_whom_it_vouches_for(
    world: World, port: int, who: str, let_in: bool
) -> None:
    await knows(world)
    url = f"http://127.0.0.1:{port}"
    async with certified(f"{url}/signin/callback") as issuer, browser() as client:
        http = Http()
        identities = OpenId(
            Client(issuer=issuer, client_id=CLIENT, client_secret="provider secret / with : signs"),
            http,
            SystemClock(),
            "a secret of the daemon",
        )
        world.engine = replace(world.engine, base_url=url, identities=identities)
        with contextlib.closing(socket.create_server(("127.0.0.1", port))) as listener:
            app = create_app(world.engine, "admin")
            config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
            async with serving(config, listener):
                answer = await walk(client, f"{url}/signin", who)
                assert answer.status_code == (303 if let_in else 401), answer.text
                assert (await client.get(f"{url}/incidents")).status_code == (200 if let_in else 401)
        await http.close()


async def walk(client: httpx2.AsyncClient, url: str, who: str) -> httpx2.Response:
    """As a person does: through the provider's own forms, until it sends the browser back to us."""
    answer = await client.get(url)
    for _ in range(15):
        if "/signin/callback" in str(answer.url):
            return answer
        if answer.is_redirect:
            answer = await client.get(urljoin(str(answer.url), answer.headers["location"]))
            continue
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        action = re.search(r'action="([^"]+)"', answer.text)
        assert prompt, answer.text
        assert action
        form = {"prompt": prompt[1], "login": who, "password": "any"}
        answer = await client.post(urljoin(str(answer.url), action[1]), data=form)
    raise AssertionError("the provider never sent the browser back")
