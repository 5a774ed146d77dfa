from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from celery import current_app
from django.db import connection, transaction

from apps.outbox import wake
from tests.outbox.conftest import open_stream, tell, undone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
ROOT = Path(__file__).resolve().parent.parent.parent
TYPE, TASK = "request.submitted", "apps.outbox.tasks.run_relay"
PROBE = """
import json, threading, time, django
django.setup()
from celery import Celery
from tests.outbox.conftest import open_stream, tell
senders, real = [], Celery.send_task
def send_task(*args, **kwargs):
    senders.append(threading.current_thread().name)
    return real(*args, **kwargs)
Celery.send_task = send_task
stream = open_stream()
for _ in range(5):
    tell(stream, "request.submitted")
while not senders:
    time.sleep(0.05)
print(json.dumps(sorted(set(senders))))
"""
PATIENCE_S = 60


class Broken(Exception):
    """What a broker's client may raise."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that Celery was asked to send."""
    names: list[str] = []
    monkeypatch.setattr(wake, "_quiet_until", 0.0)
    answer_with(monkeypatch, names.append)
    return names


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], object]) -> None:
    """Celery's client, as far as it is used here."""
    monkeypatch.setattr(type(current_app._get_current_object()), "send_task", lambda app, name, **_: answer(name))


def settled(sent: list[str], count: int) -> list[str]:
    """What was sent, once it is so much and the sender has had time for more."""
    end = time.monotonic() + PATIENCE_S
    while len(sent) < count and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.2)
    return sent


def test_the_relay_is_woken_after_the_commit(sent):
    stream = open_stream()
    with transaction.atomic():
        tell(stream, TYPE)
        assert settled(sent, 0) == []
    assert settled(sent, 1) == [TASK]
    tell(stream, TYPE)
    assert settled(sent, 2) == [TASK, TASK]


def test_a_transaction_asks_once_however_much_it_publishes(sent):
    streams = [open_stream(), open_stream()]
    with transaction.atomic():
        for one in (*streams, *streams):
            tell(one, TYPE)
        assert [hook for _, hook, _ in connection.run_on_commit] == [wake.wake]


def test_what_was_rolled_back_wakes_nobody(sent):
    stream = open_stream()
    with undone():
        tell(stream, TYPE)
    assert settled(sent, 0) == []


def test_a_rolled_back_part_takes_nothing_from_what_is_committed(sent):
    stream = open_stream()
    with transaction.atomic():
        with undone():
            tell(stream, TYPE)
        tell(stream, TYPE)
    assert settled(sent, 1) == [TASK]


def test_a_broken_broker_is_left_alone_for_a_while_and_nothing_is_raised(sent, monkeypatch):
    def fail(name: str) -> None:
        sent.append(name)
        raise Broken

    answer_with(monkeypatch, fail)
    monkeypatch.setattr(wake, "QUIET_SECONDS", 3600.0)
    stream = open_stream()
    for _ in range(3):
        tell(stream, TYPE)
        assert settled(sent, 1) == [TASK]
    monkeypatch.setattr(wake, "_quiet_until", 0.0)
    tell(stream, TYPE)
    assert settled(sent, 2) == [TASK, TASK]


def printed(*command: str, place: Path, broker: str = "") -> str:
    """What Python prints in a process whose broker is at this address, on the SQLite file of this place."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "serviceflow.settings.demo",
        "DATABASE_URL": f"sqlite:///{place}/one.sqlite3",
        "REDIS_URL": broker,
        "VAR_DIR": str(place),
        "LOG_LEVEL": "CRITICAL",
    }
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty database that is ready."""
    place = tmp_path_factory.mktemp("migrated")
    printed("manage.py", "migrate", "-v0", place=place)
    return place


def senders_of_five_writes(broker: str, migrated: Path, place: Path) -> list[str]:
    """The threads that spoke to the broker at this address while a process wrote five times."""
    shutil.copy(migrated / "one.sqlite3", place)
    return json.loads(printed("-c", PROBE, place=place, broker=broker))


def test_a_broker_that_is_not_there_is_not_asked_by_who_writes(migrated, tmp_path):
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        broker = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        assert senders_of_five_writes(broker, migrated, tmp_path) == ["wake-relay"]


def test_a_broker_that_listens_but_never_answers_is_not_asked_by_who_writes(migrated, tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        broker = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        assert senders_of_five_writes(broker, migrated, tmp_path) == ["wake-relay"]
