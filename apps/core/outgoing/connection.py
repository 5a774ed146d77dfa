"""Connections that go to checked addresses only and keep one deadline: httpcore's documented place to plug in."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import httpcore

from apps.core.outgoing.addresses import Address
from apps.core.outgoing.errors import Refused, TooSlow, Unreachable


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """An instant of the monotonic clock by which a whole call is over."""

    at: float

    @classmethod
    def in_seconds(cls, seconds: float) -> Deadline:
        return cls(at=time.monotonic() + seconds)

    def left(self, timeout: float | None, *, late: type[Exception]) -> float:
        """Seconds this operation may take: its own timeout or what is left. Raises `late` where nothing is left."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise late("the deadline has passed")
        return left if timeout is None else min(timeout, left)


def resolve(host: str, port: int, *, deadline: Deadline) -> tuple[Address, ...]:
    """The addresses of a name, in the order they should be tried. Raises Unreachable, Refused or TooSlow.

    The system's resolver keeps no deadline, so it is asked in a thread that is left behind where it takes too long.
    """
    answers: queue.SimpleQueue[tuple[Address, ...] | Exception] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_look_up(host, port)), daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left(None, late=TooSlow))
    except queue.Empty:
        raise TooSlow(f"The name {host} was not resolved in time.") from None
    if isinstance(found, Exception):
        raise found
    return found


def _look_up(host: str, port: int) -> tuple[Address, ...] | Exception:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return Unreachable(f"The name {host} could not be resolved.")
    except ValueError:  # a label that is empty or too long, as UnicodeError
        return Refused(f"{host!r} is not the name of a host.")
    return tuple(dict.fromkeys(ip_address(row[4][0]) for row in rows))


@dataclass(frozen=True, kw_only=True)
class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the given addresses, in turn, whatever the host of the URL resolves to by now."""

    addresses: Sequence[Address]
    deadline: Deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError("no address")
        for address in self.addresses:
            within = self.deadline.left(timeout, late=httpcore.ConnectTimeout)
            try:
                inner = httpcore.SyncBackend().connect_tcp(
                    str(address), port, within, local_address, socket_options or ()
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return DeadlineStream(inner=inner, deadline=self.deadline)
        raise failed


@dataclass(frozen=True, kw_only=True)
class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every operation ends by the deadline, however slowly the bytes drip."""

    inner: httpcore.NetworkStream
    deadline: Deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, self.deadline.left(timeout, late=httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends part by part: `inner.write` would allow the timeout again for each part."""
        sock: socket.socket = self.inner.get_extra_info("socket")
        left = memoryview(buffer)
        while left:
            sock.settimeout(self.deadline.left(timeout, late=httpcore.WriteTimeout))
            try:
                left = left[sock.send(left) :]
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        within = self.deadline.left(timeout, late=httpcore.ConnectTimeout)
        inner = self.inner.start_tls(ssl_context, server_hostname, within)
        return DeadlineStream(inner=inner, deadline=self.deadline)

    def close(self) -> None:
        self.inner.close()

    def get_extra_info(self, info: str) -> object:
        return self.inner.get_extra_info(info)
