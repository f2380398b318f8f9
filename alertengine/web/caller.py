"""From which address a request comes. A header is believed only from a proxy that the operator named."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import Request

from alertengine.core.addresses import Network

FORWARDED = "x-forwarded-for"
HOPS = 20


def caller(request: Request) -> str:
    """The address as text; "" where there is none, as on the local socket."""
    trusted: Sequence[Network] = request.app.state.trusted_proxies
    address = request.client.host if request.client else ""
    hops = ",".join(request.headers.getlist(FORWARDED)).split(",")[-HOPS:]
    # From the nearest on: each was written by the one after it, so it is true as long as those are trusted.
    while hops and _within(address, trusted):
        hop = hops.pop().strip()
        if not _is_address(hop):
            break
        address = hop
    return address


def household(address: str) -> str:
    """What is counted as one: of IPv6 the /64 that a single customer has to themselves."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _within(address: str, networks: Sequence[Network]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)
