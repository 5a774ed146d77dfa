from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from apps.core.outgoing import address_problem

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::1",
    "2606:4700:4700::1111", "2a00:1450:4001::1", "3ffe:ffff::", "3fff:1000::",
]  # fmt: skip
CLOSED = {
    "an unspecified address": ["0.0.0.0", "0.1.2.3", "0.255.255.255", "::"],
    "a loopback address": ["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1"],
    "a private address": [
        "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
        "fc00::", "fd12:3456::1", "fdff:ffff::", "fec0::1",
    ],
    "a link-local address": ["169.254.0.0", "169.254.169.253", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::"],
    "a carrier's shared address": ["100.64.0.0", "100.127.255.255"],
    "a multicast address": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "an address for documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "an IPv4 address wrapped in IPv6": [
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1",
        "2002:7f00:1::", "2002:808:808::1",
    ],
    "a reserved address": [
        "192.0.0.1", "192.88.99.1", "198.18.0.0", "198.19.255.255", "240.0.0.1", "255.255.255.255",
        "2001::1", "2001:0:7f00:1::", "2001:1ff:ffff::", "::2", "::127.0.0.1", "100::1", "4000::1", "5f00::1",
    ],
    "a cloud's metadata service": [
        "169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    ],
}  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_may_be_called(text):
    assert address_problem(ip_address(text)) is None


@pytest.mark.parametrize(("problem", "text"), [(problem, one) for problem, texts in CLOSED.items() for one in texts])
def test_any_other_address_is_named_for_what_it_is(problem, text):
    assert address_problem(ip_address(text)) == problem


@given(ip_addresses())
def test_what_python_does_not_take_for_global_is_closed(address):
    if not address.is_global or address.is_multicast:
        assert address_problem(address) is not None


@given(ip_addresses(v=6))
def test_outside_global_unicast_no_ipv6_address_is_open(address):
    if address not in ip_network("2000::/3"):
        assert address_problem(address) is not None


def test_an_allowed_network_opens_its_addresses_and_no_other():
    allowed = [ip_network("10.20.0.0/16"), ip_network("fd12::/48"), ip_network("127.0.0.1/32")]
    asked = ("10.20.0.1", "10.20.255.255", "10.21.0.0", "fd12::1", "fd12:0:1::1", "127.0.0.1", "127.0.0.2")
    assert {one: address_problem(ip_address(one), allowed=allowed) for one in asked} == {
        "10.20.0.1": None,
        "10.20.255.255": None,
        "10.21.0.0": "a private address",
        "fd12::1": None,
        "fd12:0:1::1": "a private address",
        "127.0.0.1": None,
        "127.0.0.2": "a loopback address",
    }


def test_an_allowed_network_does_not_open_its_wrapped_forms():
    allowed = [ip_network("0.0.0.0/0")]
    wrapped = ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::")
    problems = {address_problem(ip_address(one), allowed=allowed) for one in wrapped}
    assert problems == {"an IPv4 address wrapped in IPv6"}


@pytest.mark.parametrize("text", CLOSED["a cloud's metadata service"])
def test_nothing_opens_a_metadata_service(text):
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0"), ip_network(text)]
    assert address_problem(ip_address(text), allowed=everything) == "a cloud's metadata service"
