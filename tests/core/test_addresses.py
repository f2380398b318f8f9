"""Which addresses may be asked, and by whose wish."""

from __future__ import annotations

import ipaddress

import pytest

from alertengine.core.addresses import allowed, url_problem
from alertengine.core.given import Given

PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1")
LOCAL = (
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.7", "100.64.0.1"),
    *("198.18.0.1", "192.0.2.1", "203.0.113.9", "::1", "fd12::1", "2001:db8::1", "::ffff:127.0.0.1"),
    *("64:ff9b::10.0.0.1", "2002:0a00:0001::1", "::ffff:0:10.0.0.1", "2606:4700::5efe:10.0.0.1", "4000::1"),
)
NEVER = ("169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "fec0::1", "fd00:ec2::254", "fd20:ce::254")


@pytest.mark.parametrize("text", PUBLIC)
def test_the_public_internet_is_for_everybody(text: str) -> None:
    assert all(allowed(ipaddress.ip_address(text), given) for given in Given)


@pytest.mark.parametrize("text", LOCAL)
def test_what_is_local_is_the_operator_s(text: str) -> None:
    address = ipaddress.ip_address(text)

    assert allowed(address, Given.OPERATOR)
    assert not allowed(address, Given.TENANT)


@pytest.mark.parametrize("text", NEVER)
def test_some_addresses_are_nobody_s_whatever_is_listed(text: str) -> None:
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

    assert not allowed(ipaddress.ip_address(text), Given.OPERATOR)
    assert not allowed(ipaddress.ip_address(text), Given.TENANT, everything)


def test_a_listed_range_is_for_tenants_too_however_it_is_spelt() -> None:
    listed = (ipaddress.ip_network("10.20.0.0/16"),)

    assert allowed(ipaddress.ip_address("10.20.3.4"), Given.TENANT, listed)
    assert allowed(ipaddress.ip_address("::ffff:10.20.3.4"), Given.TENANT, listed)
    assert not allowed(ipaddress.ip_address("10.21.3.4"), Given.TENANT, listed)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://host/",
            "file:///etc/passwd",
            "gopher://host/",
            "javascript:alert(1)",
            "//host/",
            "host",
            "",
        ),
        *(
            "http://",
            "http:///x",
            "http://user@host/",
            "http://a:b@host/",
            "http://host:0/",
            "http://host:99999/",
        ),
        *("http://[::1/", "http://ho st/", "http://host/\r\nx: y", "http://host/\x00", "http://good\\@evil/"),
        *("http://169.254.169.254/", "http://[fe80::1%25eth0]/", "http://[::ffff:a9fe:a9fe]/"),
    ],
)
def test_a_url_that_is_none_is_told_at_once(url: str) -> None:
    assert url_problem(url)


def test_a_local_url_is_told_to_a_tenant_at_once() -> None:
    assert url_problem("http://10.0.0.1/", Given.OPERATOR) is None
    assert "allow_private" in str(url_problem("http://10.0.0.1/", Given.TENANT))
