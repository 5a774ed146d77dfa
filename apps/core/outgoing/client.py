"""One call over HTTP to an address that somebody else wrote down."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

import h11
import httpcore
import httpx
from django.conf import settings

from apps.core.errors import Misconfigured
from apps.core.outgoing.addresses import Address, Network, address_problem
from apps.core.outgoing.connection import Deadline, PinnedBackend, resolve
from apps.core.outgoing.errors import OutgoingFailed, Refused, TooLarge, TooSlow, Unreachable

OWN_HEADERS = (("User-Agent", "ServiceFlow/1"), ("Accept", "*/*"), ("Connection", "close"))
LONGEST_URL = 2048
DEFAULT_PORTS = {"https": 443, "http": 80}
HOST = re.compile(rb"[a-z0-9_.-]+|[0-9a-f:.]+")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: any status, 3xx to 5xx too. Header names are in lower case; `cut`: the body was longer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds for the whole call and for its parts, and how many bytes of the answer's body are read.

    The head of an answer may have 100 KiB (httpcore's own bound).
    """

    total_s: float = 20.0
    connect_s: float = 5.0
    read_s: float = 15.0
    most_bytes: int = 1024 * 1024


DEFAULT_LIMITS = Limits()


def send(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", limits: Limits = DEFAULT_LIMITS
) -> Answer:
    """Makes one call on a connection of its own and returns the answer, whatever its status.

    https only, unless OUTGOING_ALLOW_HTTP; any port. The name is resolved once, every address it has must be public or
    in OUTGOING_ALLOWED_ADDRESSES, and the connection goes to those very addresses, so a name that changes its mind
    gains nothing; TLS verifies the certificate against the name. Redirects are not followed: a 3xx is an answer. No
    proxy, cookie or log-in comes from the environment, nothing is decompressed, no call is repeated. A body longer
    than `limits.most_bytes` is cut. Raises Refused (permanent); Unreachable, TooSlow, TooLarge (temporary).
    """
    target = _checked(url)
    deadline = Deadline.in_seconds(limits.total_s)
    addresses = _checked_addresses(target, deadline)
    with httpcore.HTTPConnection(
        origin=target.origin,
        ssl_context=_trust(),
        network_backend=PinnedBackend(addresses=addresses, deadline=deadline),
    ) as connection:
        try:
            return _exchange(connection, method, target, headers=headers, body=body, limits=limits)
        except _FAILURES as error:
            raise _explained(error, _host(target)) from error


def allowed_networks() -> tuple[Network, ...]:
    """OUTGOING_ALLOWED_ADDRESSES as networks. Raises Misconfigured naming the variable and the entry."""
    return _parsed(tuple(settings.OUTGOING_ALLOWED_ADDRESSES))


@lru_cache(maxsize=8)
def _parsed(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(_network(text) for text in texts)


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise Misconfigured(f"OUTGOING_ALLOWED_ADDRESSES: {error}; write networks as 10.20.0.0/16") from error


def _checked(url: str) -> httpcore.URL:
    """The parts that are connected to, in the one form that is also checked (IDNA, lower case)."""
    if len(url) > LONGEST_URL:
        raise Refused(f"The address is too long: {len(url):,} characters, at most {LONGEST_URL:,} are accepted.")
    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise Refused("The address cannot be read as a URL.") from error
    if problem := _url_problem(read):
        raise Refused(problem)
    port = read.port or DEFAULT_PORTS[read.scheme]
    return httpcore.URL(scheme=read.raw_scheme, host=read.raw_host, port=port, target=read.raw_path)


def _url_problem(url: httpx.URL) -> str | None:
    if url.scheme not in DEFAULT_PORTS:
        return "The address must begin with https://."
    if url.scheme == "http" and not settings.OUTGOING_ALLOW_HTTP:
        return "The address must begin with https://; http is allowed by OUTGOING_ALLOW_HTTP only."
    if url.userinfo:
        return "The address must hold no user name or password."
    return None if HOST.fullmatch(url.raw_host) else "The address names no host."


def _checked_addresses(target: httpcore.URL, deadline: Deadline) -> tuple[Address, ...]:
    addresses = resolve(_host(target), target.port or 0, deadline=deadline)
    allowed = allowed_networks()
    for address in addresses:
        if problem := address_problem(address, allowed=allowed):
            raise Refused(f"{_host(target)} may not be called: it is {problem}.")
    return addresses


def _host(target: httpcore.URL) -> str:
    return target.host.decode("ascii")


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Verifies certificates and names; trusts certifi's authorities and the system's (a company's own among them)."""
    return httpcore.default_ssl_context()


def _authority(target: httpcore.URL) -> str:
    """The Host header; httpcore's own lacks the brackets of an IPv6 address."""
    host = f"[{_host(target)}]" if ":" in _host(target) else _host(target)
    return host if target.port == DEFAULT_PORTS[target.scheme.decode()] else f"{host}:{target.port}"


def _exchange(
    connection: httpcore.HTTPConnection,
    method: str,
    target: httpcore.URL,
    *,
    headers: Mapping[str, str],
    body: bytes,
    limits: Limits,
) -> Answer:
    given = [("Host", _authority(target)), *OWN_HEADERS, *headers.items()]
    timeout = {"connect": limits.connect_s, "read": limits.read_s, "write": limits.read_s}
    with connection.stream(method, target, headers=given, content=body, extensions={"timeout": timeout}) as response:
        read, cut = _read(response.iter_stream(), limits.most_bytes)
        return Answer(status=response.status, headers=_headers(response), body=read, cut=cut)


def _read(parts: Iterator[bytes], most: int) -> tuple[bytes, bool]:
    read = bytearray()
    for part in parts:
        read += part
        if len(read) > most:
            return bytes(read[:most]), True
    return bytes(read), False


def _headers(response: httpcore.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


_FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


def _explained(error: Exception, host: str) -> OutgoingFailed:
    if isinstance(error, httpcore.ConnectTimeout):
        return Unreachable(f"{host} took too long to accept a connection.")
    if isinstance(error, httpcore.TimeoutException):
        return TooSlow(f"{host} did not answer in time.")
    if isinstance(error, httpcore.LocalProtocolError):
        return Refused("The call cannot be written as HTTP: its method or a header holds characters HTTP forbids.")
    if isinstance(error.__cause__, h11.RemoteProtocolError) and error.__cause__.error_status_hint == 431:
        return TooLarge(f"The head of the answer of {host} is larger than is read.")
    return Unreachable(f"The call to {host} failed: {_what(error)}.")


def _what(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({cause.verify_message})"
    if isinstance(error, httpcore.ConnectError):
        return "no connection could be made"
    return "it does not speak HTTP" if isinstance(error, httpcore.ProtocolError) else "the connection broke"
