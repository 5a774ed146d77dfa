"""`manage.py serve_demo`: web, socket, worker and beat in one process, for a first look."""

from __future__ import annotations

import fcntl
import socket
import threading
import time
import urllib.request
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import uvicorn
from celery.beat import EmbeddedService
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from serviceflow.celery import app
from serviceflow.demo import demo_document

HOST = "127.0.0.1"
MOST_CONNECTIONS = 200
WORKERS = 2


class Command(BaseCommand):
    help = "Serves the demonstration: web, socket, worker and beat in one process on 127.0.0.1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if not getattr(settings, "EMBEDDED", False):
            raise CommandError("serve_demo is for DJANGO_SETTINGS_MODULE=serviceflow.settings.demo only.")
        if not 1 <= port <= 65535:
            raise CommandError(f"{port} is no port; it must be a number from 1 to 65535.")
        warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
        if _is_taken(port):
            raise CommandError(f"Port {port} of {HOST} is taken by another program. Try: make demo PORT={port + 1}")
        config = uvicorn.Config(
            "serviceflow.asgi:application",
            host=HOST,
            port=port,
            log_level="warning",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=3,
        )
        with only_process(), background():
            threading.Thread(target=self._announce, args=(port,), daemon=True).start()
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run()
        self.stdout.write("\nStopped.")

    def _announce(self, port: int) -> None:
        address = f"http://{HOST}:{port}"
        if wait_until(lambda: _answers(f"{address}/healthz"), seconds=60):
            self.stdout.write(announcement(address))


@contextmanager
def only_process() -> Iterator[None]:
    """The embedded mode is one process: its broker and channel layer are in memory. A second one is refused."""
    settings.VAR_DIR.mkdir(exist_ok=True)
    with (settings.VAR_DIR / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError("The demonstration is already running in another process.") from error
        yield


@contextmanager
def background() -> Iterator[None]:
    """A Celery worker and beat as threads of this process, stopped at the end."""
    worker = app.WorkController(pool="threads", concurrency=WORKERS, without_gossip=True, without_mingle=True)
    threading.Thread(target=worker.start, daemon=True).start()
    beat = EmbeddedService(app, thread=True, schedule_filename=str(settings.VAR_DIR / "beat-schedule"))
    beat.start()
    try:
        yield
    finally:
        beat.stop()
        worker.stop()


def wait_until(happened: Callable[[], bool], *, seconds: float) -> bool:
    """Polls until it happened; False after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.1)
    return False


def _is_taken(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex((HOST, port)) == 0


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own address
        return bool(answer.status == 200)
    return False


def announcement(address: str) -> str:
    """What a person who just started the demonstration wants to know."""
    document = demo_document()
    who = {
        "sara": "asks for things (Sales)",
        "tom": "her manager, approves",
        "jonas": "works on requests (IT support)",
        "lena": "head of Finance, approves budgets",
        "iris": "auditor, sees everything",
        "admin": "administrator, draws workflows",
    }
    lines = [
        "",
        f"  Service Flow is ready:  {address}/",
        "",
        f"  Log in as (the password is always {document['password']}):",
        *(f"    {name:<8} {what}" for name, what in who.items()),
        "",
        f"  Staff pages {address}/admin/   API {address}/api/v1/docs/   Stop with Ctrl-C",
        "",
    ]
    return "\n".join(lines)
