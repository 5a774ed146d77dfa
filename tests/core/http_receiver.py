"""The other side of an outgoing call: a real HTTP server on 127.0.0.1, and names that resolve to what a test says."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PORTS = range(21000, 32000)

Act = Callable[[BaseHTTPRequestHandler], None]
Names = dict[str, list[list[str]]]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as the server read it; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Receiver:
    """A running server: where it listens and what it was sent."""

    port: int
    calls: list[Call] = field(default_factory=list)

    def url(self, path: str = "/", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Act:
    """Answers with this; `content_type=...` becomes `content-type`."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def raw(parts: Iterable[bytes], *, gap: Callable[[], None] = lambda: None) -> Act:
    """Sends bytes as they stand and calls `gap` after each part."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        for part in parts:
            handler.wfile.write(part)
            gap()

    return act


@contextmanager
def receiving(act: Act, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A server that reads each request, notes it and lets `act` answer."""
    server = _bound(address, act)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    act: Act
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.receiver.calls.append(Call(method=self.command, path=self.path, headers=headers, body=body))
        self.server.act(self)

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


def _bound(address: str, act: Act) -> _Server:
    for port in PORTS:
        try:
            server = (_Server6 if ":" in address else _Server)((address, port), _Handler)
        except OSError:
            continue
        server.act, server.receiver = staticmethod(act), Receiver(port=port)
        return server
    raise AssertionError("no port is free")


@contextmanager
def resolving(names: Names) -> Iterator[list[str]]:
    """Makes these names resolve to their lists of addresses, one list per question; yields the names asked for.

    The last list stays. Other names are asked of the system.
    """
    real, asked = socket.getaddrinfo, []

    def fake(host: str, port: int, *args: object, **kwargs: object) -> list[object]:
        if host not in names:
            return list(real(host, port, *args, **kwargs))
        asked.append(host)
        found = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
        return [row for one in found for row in real(one, port, *args, **kwargs)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", fake)
        yield asked
