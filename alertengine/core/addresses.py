"""Which addresses and URLs may be asked, and by whose wish. Pure: names are resolved elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from alertengine.core.given import Given

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


NEVER = _networks(
    "0.0.0.0/8",
    "100.100.100.200/32",  # metadata, Alibaba
    "168.63.129.16/32",  # wire server, Azure
    "169.254.0.0/16",  # link-local, metadata of most clouds
    "192.0.0.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "fd00:ec2::254/128",  # metadata, AWS
    "fd20:ce::254/128",  # metadata, Google
    "100::/64",  # discarded
)
"""For nobody: link-local, metadata, multicast, reserved."""
LOCAL = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
)
"""Loopback, private and documentation: the operator's to name. Of IPv6, all but global unicast is as well."""
GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_EMBEDDED = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0, 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0, 0),
    (ipaddress.IPv6Network("::/96"), 0, 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0, 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0, 0),
    (ipaddress.IPv6Network("2002::/16"), 80, 0),
    (ipaddress.IPv6Network("2001::/32"), 0, 0xFFFFFFFF),
)
"""Networks whose addresses stand for an IPv4 one: how far right it lies, and what it was inverted with."""
_OWN = (ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1"))
_ISATAP = (0x00005EFE, 0x02005EFE)


def inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that stands for it (mapped, translated, NAT64, 6to4, Teredo, ISATAP)."""
    if isinstance(address, ipaddress.IPv4Address) or address in _OWN:
        return address
    for network, shift, inverted in _EMBEDDED:
        if address in network:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF ^ inverted)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def allowed(address: Address, given: Given = Given.OPERATOR, private: Sequence[Network] = ()) -> bool:
    """Whether a URL that was given by an operator or a tenant may lead there. `private`: what tenants may reach
    beside the public internet."""
    found = inner(address)
    if _in(found, NEVER) or _in(address, NEVER):
        return False
    return given is Given.OPERATOR or _public(found) or _in(found, private)


def _public(address: Address) -> bool:
    return not _in(address, LOCAL) and (address.version == 4 or address in GLOBAL_6)


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def url_problem(url: str, given: Given = Given.OPERATOR, private: Sequence[Network] = ()) -> str | None:
    """What is wrong with a URL as it is written; None where nothing is. Where its name leads is judged each time
    that it is asked."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(c.isspace() or not c.isprintable() or c == "\\" for c in url):
        return "give a whole URL, e.g. http://127.0.0.1:8000/health/alerts"
    if "@" in parts.netloc:
        return "no name or password in a URL: it would be shown wherever the URL is"
    for address in _literal(parts.hostname or ""):
        if not allowed(address, given, private):
            return f"{address} is an address that {'is never asked' if not allowed(address) else _NOT_YOURS}"
    return None


_NOT_YOURS = "a tenant's key may not name; the operator can, or lists its range in [server] allow_private"


def _literal(host: str) -> Iterator[Address]:
    try:
        yield ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
