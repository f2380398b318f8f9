"""URLs that a tenant gave, in every use, spelt in every way: none leads inside."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import httpcore2
import pytest

from alertengine import http, resolver
from alertengine.actions.http import HttpAction
from alertengine.channels.slack import SlackChannel
from alertengine.channels.webhook import WebhookChannel
from alertengine.clock import SystemClock
from alertengine.core.given import Given
from alertengine.core.message import Message, MessageKind
from alertengine.core.model import ActionSpec, Contact, Service
from alertengine.errors import DeliveryError, HttpError
from alertengine.http import Http
from alertengine.ports import Run
from alertengine.signing import Vault
from alertengine.sources.health import HealthSource
from alertengine.testing import START
from alertengine.tools import Tools, sealed

INSIDE = (
    *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "0.0.0.0", "224.0.0.1", "255.255.255.255"),
    *("198.18.0.1", "203.0.113.5"),
)
INSIDE_6 = ("::1", "::", "fe80::1", "fd00:ec2::254", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1")
NOT_WEB = (
    *("ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/"),
    *(
        "http://",
        "http:///x",
        "//127.0.0.1/",
        "http:127.0.0.1",
        "http://[::1/",
        "unix:///run/x.sock",
        "data:,x",
    ),
    *("http://127.0.0.1:0/", "http://127.0.0.1:99999/", "http://localhost/", "http://localhost.:80/"),
    *("http://public.example@127.0.0.1/", "http://127.0.0.1#@public.example/", "http://127.0.0.1\\@x/"),
    *("http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "HTTP://127.0.0.1/", "http://%31%32%37.0.0.1/"),
)


def spelt(address: str) -> list[str]:
    """The hosts that mean an IPv4 address to one reader or another."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = address.split(".")
    low, tail = number & 0xFFFF, number & 0xFFFFFF
    return [
        *(
            address,
            f"{address}.",
            str(number),
            hex(number),
            f"0{number:o}",
            f"{a}.{b}.{low}",
            f"{a}.{tail}",
        ),
        *(".".join(hex(int(p)) for p in (a, b, c, d)), ".".join(f"0{int(p):o}" for p in (a, b, c, d))),
        *(f"[::ffff:{address}]", f"[::{address}]", f"[64:ff9b::{address}]", f"[64:ff9b:1::{address}]"),
        *(f"[2002:{number >> 16:x}:{low:x}::1]", f"[::ffff:0:{address}]", f"[2606:4700::5efe:{address}]"),
        f"[2001:0:4136:e378:8000:63bf:{(number >> 16) ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]",
    ]


CORPUS = [
    *(f"http://{host}/latest/meta-data" for address in INSIDE for host in spelt(address)),
    *(f"https://[{address}]:8443/x?y" for address in INSIDE_6),
    *NOT_WEB,
]


class Wires(httpcore2.AsyncNetworkBackend):
    """Notes where a connection would have gone."""

    tried: ClassVar[list[str]] = []

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.tried.append(host)
        raise httpcore2.ConnectError("no wire")

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.tried.append(path)
        raise httpcore2.ConnectError("no wire")


@pytest.fixture
async def tools(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tools]:
    monkeypatch.setattr(Wires, "tried", [])
    monkeypatch.setattr(http.httpcore2, "AnyIOBackend", Wires)
    client = Http()
    yield Tools(
        http=client,
        clock=SystemClock(),
        vault=Vault("a-secret-of-this-test-0123456789abcdef"),
        new_id=lambda prefix: prefix,
        tenant_secrets=lambda purpose, tenant: ("whsec_c2VjcmV0",),
    )
    await client.close()


def message() -> Message:
    return Message(
        kind=MessageKind.ALERT,
        incident_id="inc",
        tenant_id="ten",
        service="s",
        severity="critical",
        stage="ALERTED",
        title="t",
        body=(),
        footer="",
        url=None,
        at=START,
        is_test=False,
        facts={},
    )


def contact(address: str) -> Contact:
    return Contact(id="con", tenant_id="ten", name="n", channel="c", address=address, given_by=Given.TENANT)


async def polled(tools: Tools, url: str) -> None:
    service = Service(id="svc", tenant_id="ten", name="s", health_url=url, given_by=Given.TENANT)
    await HealthSource(tools, 2).poll(service, evidence=True)


async def told(tools: Tools, url: str) -> None:
    await WebhookChannel("hook", None, tools).send(contact(url), message(), "key")


async def slacked(tools: Tools, url: str) -> None:
    await SlackChannel("slack", None, tools).send(contact(sealed(tools.vault, "", url)), message(), "key")


async def recovered(tools: Tools, url: str) -> None:
    params = {"url": url, "preview_url": url, "timeout_s": 2.0, "given_by": "tenant"}
    spec = ActionSpec(name="recovery-webhook", kind="http", params=params)
    service = Service(id="svc", tenant_id="ten", name="s", health_url=url, given_by=Given.TENANT)
    run = Run(execution_id="exe", incident_id="inc", tenant_id="ten", service=service)
    action = HttpAction({}, tools)
    await action.preview(spec, run)
    assert (await action.execute(spec, run)).status == "failed"


Use = Callable[[Tools, str], Awaitable[None]]
USES: tuple[Use, ...] = (polled, told, slacked, recovered)


def test_the_corpus_is_large() -> None:
    assert len(set(CORPUS)) >= 250


@pytest.mark.parametrize("use", USES)
async def test_nothing_inside_is_connected(use: Use, tools: Tools) -> None:
    for url in CORPUS:
        try:
            await use(tools, url)
        except (DeliveryError, HttpError):
            pass
    assert Wires.tried == []


@pytest.mark.parametrize("use", USES)
async def test_the_public_internet_is_connected(use: Use, tools: Tools) -> None:
    """So that the test above is not green for nothing."""
    with pytest.raises(DeliveryError) if use in (told, slacked) else _fine():
        await use(tools, "http://93.184.216.34/")
    assert set(Wires.tried) == {"93.184.216.34"}


class _fine:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


async def test_a_name_that_changes_its_mind_is_judged_at_each_connection(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = itertools.cycle(
        (["93.184.216.34"], ["169.254.169.254"], ["93.184.216.34", "127.0.0.1"], ["::1"])
    )
    look_up = lambda host: [ipaddress.ip_address(a) for a in next(answers)]  # noqa: E731
    monkeypatch.setattr(resolver, "_look_up", look_up)
    for _ in range(1000):
        await polled(tools, "http://rebind.example/health/alerts")

    assert set(Wires.tried) == {"93.184.216.34"}
    assert len(Wires.tried) == 250
