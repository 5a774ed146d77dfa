"""Which addresses may be called: public unicast ones, and those a setting opens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


# Where clouds hand credentials to whoever asks: most of them, then AWS and Google over IPv6, Alibaba, Oracle, Azure.
METADATA = _networks(
    "169.254.169.254/32", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "192.0.0.192/32",
    "168.63.129.16/32",
)  # fmt: skip

# From IANA's special-purpose registries (RFC 6890 and later); the first that holds the address names it.
CLOSED: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("an unspecified address", _networks("0.0.0.0/8", "::/128")),
    ("a loopback address", _networks("127.0.0.0/8", "::1/128")),
    ("a private address", _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("a link-local address", _networks("169.254.0.0/16", "fe80::/10")),
    ("a carrier's shared address", _networks("100.64.0.0/10")),
    ("a multicast address", _networks("224.0.0.0/4", "ff00::/8")),
    ("an address for documentation",
     _networks("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    ("an IPv4 address wrapped in IPv6", _networks("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")),
    ("a reserved address",
     _networks("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "2001::/23")),
)  # fmt: skip
GLOBAL_UNICAST = IPv6Network("2000::/3")


def address_problem(address: Address, *, allowed: Sequence[Network] = ()) -> str | None:
    """Why this address may not be called ("a private address"), or None.

    A network in `allowed` opens every address in it, but nothing opens a cloud's metadata service. IPv4 wrapped in IPv6
    (mapped, NAT64, 6to4, Teredo) is refused whatever it wraps; outside 2000::/3 no IPv6 address is public.
    """
    plain = ip_address(str(address).partition("%")[0])  # a zone says by which interface, not where to
    if _within(plain, METADATA):
        return "a cloud's metadata service"
    if _within(plain, allowed):
        return None
    named = next((name for name, networks in CLOSED if _within(plain, networks)), None)
    if named is None and plain.version == 6 and plain not in GLOBAL_UNICAST:
        return "a reserved address"
    return named


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
