"""Starting and stopping the product as operators run it: every part a process of its own."""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import psycopg
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
NO_REDIS = "redis://127.0.0.1:1/0"
PORTS = range(11000, 21000)  # below the ephemeral range, so no client's socket takes one; no receiver's either


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listens on."""
    chance = random.SystemRandom()  # the usual one has the same seed in each process that runs tests
    found = (port for port in chance.sample(PORTS, len(PORTS)) if not _listens(port))
    return list(islice(found, count))


def wait_until(happened: Callable[[], bool], *, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")


@contextmanager
def process(command: list[str], *, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, its words in `log`; terminated at the end, killed if it does not listen."""
    with log.open("ab") as out:
        started = subprocess.Popen(
            command, cwd=ROOT, env=dict(env), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield started
        finally:
            stop(started)


def stop(started: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGTERM)
    try:
        started.wait(30)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(60)


def answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=10).status_code == 200
    return False


def database_url(name: str) -> str:
    """The URL of a database on the server that this test run uses."""
    of = connection.settings_dict
    host, port = quote(of["HOST"] or "localhost", safe=""), of["PORT"] or 5432
    return f"postgresql://{of['USER']}:{quote(of['PASSWORD'])}@/{name}?host={host}&port={port}"


@contextmanager
def fresh_database(*, template: str = "template1") -> Iterator[str]:
    """The URL of a database of its own, a copy of `template`; dropped at the end with whoever is still connected."""
    name = f"journey_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database_url("postgres"), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield database_url(name)
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def migrated_template() -> Iterator[str]:
    """The name of an empty database that is ready, as a production process migrated it; nobody is connected to it."""
    with fresh_database() as url, tempfile.TemporaryDirectory() as place:
        manage("migrate", "-v0", env=production_env(Path(place), database=url, redis=NO_REDIS))
        yield urlsplit(url).path.removeprefix("/")


@contextmanager
def redis_server(place: Path) -> Iterator[str]:
    """The URL of a Redis of its own that keeps nothing on disk."""
    (port,) = free_ports(1)
    command = [shutil.which("redis-server") or "", "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with process(command, env=os.environ, log=place / "redis.log"):
        wait_until(lambda: _listens(port), seconds=60, what="redis-server listens")
        yield f"redis://127.0.0.1:{port}/0"


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def production_env(place: Path, *, database: str, redis: str, **more: str) -> dict[str, str]:
    """The environment of a production process, with nothing inherited but the path."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "DJANGO_SETTINGS_MODULE": "serviceflow.settings.production",
        "SECRET_KEY": "journey-" + "0123456789" * 5,
        "AUDIT_KEYS": "2026:" + base64.b64encode(b"k" * 32).decode(),
        "DATA_KEYS": "2026:" + base64.b64encode(b"d" * 32).decode(),
        "ALLOWED_HOSTS": "127.0.0.1",
        "BEHIND_HTTPS": "false",
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "STATIC_ROOT": str(place / "static"),
        "FILE_STORE": str(place / "files"),
        "RATELIMIT_ENABLE": "false",
        **more,
    }


def manage(*arguments: str, env: Mapping[str, str], timeout: float = 300) -> str:
    """Runs `manage.py` to its end and returns what it printed; its errors are the failure's message."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A running production shape: two web processes, the socket, worker and beat, on its own PostgreSQL and Redis."""

    webs: tuple[str, str]
    socket: str
    redis: str
    database: str
    env: Mapping[str, str]
    place: Path

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-1500:]}" for path in sorted(self.place.glob("*.log")))


@contextmanager
def production_shape(place: Path, *, database: str) -> Iterator[Shape]:
    """Starts everything on this migrated database, seeds the demonstration data, and stops everything."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(place))
        env = production_env(place, database=database, redis=redis)
        manage("collectstatic", "-v0", "--no-input", "--ignore", "drf_spectacular_sidecar", env=env)  # slow, unused
        manage("seed_demo", env=env)
        ports = free_ports(3)
        for port in ports[:2]:
            web = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
            _start(
                stack, [*web, "--blocking-threads", "4", "serviceflow.wsgi:application"], env, place / f"web{port}.log"
            )
        asgi = ["uvicorn", "--host", "127.0.0.1", "--port", str(ports[2]), "serviceflow.asgi:application"]
        _start(stack, asgi, env, place / "socket.log")
        stack.enter_context(background(place, env=env))
        webs = tuple(f"http://127.0.0.1:{port}" for port in ports[:2])
        for url in (*webs, f"http://127.0.0.1:{ports[2]}"):
            wait_until(lambda url=url: answers(f"{url}/healthz"), seconds=180, what=f"{url} answers")
        yield Shape(
            webs=(webs[0], webs[1]),
            socket=f"ws://127.0.0.1:{ports[2]}/ws/",
            redis=redis,
            database=database,
            env=env,
            place=place,
        )


@contextmanager
def background(place: Path, *, env: Mapping[str, str], workers: int = 1, beats: int = 1) -> Iterator[None]:
    """Celery workers of two processes each, and beats with a schedule each."""
    with ExitStack() as stack:
        for n in range(workers):
            worker = ["celery", "-A", "serviceflow", "worker", "--concurrency", "2", "--loglevel", "warning"]
            _start(stack, [*worker, "--hostname", f"worker{n}@%h"], env, place / f"worker{n}.log")
        for n in range(beats):
            beat = ["celery", "-A", "serviceflow", "beat", "--schedule", str(place / f"beat{n}")]
            _start(stack, [*beat, "--pidfile", "", "--loglevel", "warning"], env, place / f"beat{n}.log")
        yield


def _start(stack: ExitStack, command: list[str], env: Mapping[str, str], log: Path) -> None:
    stack.enter_context(process([str(BIN / command[0]), *command[1:]], env=env, log=log))
