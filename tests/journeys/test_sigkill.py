"""SIGKILL in the middle of a walkthrough, at random moments: nothing committed is lost or doubled, and work goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.journeys.ledger import broken_rules, committed_events, read
from tests.journeys.processes import NO_REDIS, ROOT, fresh_database, manage, production_env, wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(900)]
CATCH_UP = """
import time
from apps.outbox.models import Delivery, Event
from apps.outbox.relay import run_relay
from apps.requests.sweeps import run_sweeps
waiting = Delivery.objects.filter(status="pending").exclude(subscriber="realtime")  # there is no Redis to push to
end = time.monotonic() + 240
while time.monotonic() < end:
    if not any(run_sweeps().values()) and not run_relay().placed and not waiting.exists():
        break
    time.sleep(0.2)
"""


@dataclass
class Reader(threading.Thread):
    """Polls the feed by position on a connection of its own, and writes down everything it ever saw."""

    database: str
    seen: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        sql = "SELECT position, id, hash FROM outbox_event WHERE position > %s ORDER BY position"
        with psycopg.connect(self.database, autocommit=True) as server:
            last = False
            while not last:
                last = self.over.wait(0.05)
                after = max(self.seen, default=0)
                for position, event_id, digest in server.execute(sql, [after]).fetchall():
                    self.seen[position] = (event_id, bytes(digest))


@pytest.fixture
def database(template: str) -> Iterator[str]:
    with fresh_database(template=template) as url:
        yield url


def walk_and_kill(env: dict[str, str], *, begun: Callable[[], bool], after_s: float) -> None:
    """Kills a walk so many seconds after it has begun."""
    walk = [sys.executable, "manage.py", "walkthrough", "--json"]
    started = subprocess.Popen(
        walk, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_until(begun, seconds=120, what="the walk has begun")
    time.sleep(after_s)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def length_of_a_walk(env: dict[str, str]) -> float:
    """Seconds of a whole walk."""
    begin = time.monotonic()
    steps = json.loads(manage("walkthrough", "--json", env=env))
    assert steps["completion"]["status"] == "archived"
    return time.monotonic() - begin


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_kills_lose_and_double_nothing_and_work_goes_on(database: str, tmp_path: Path, kills: int):
    env = production_env(tmp_path, database=database, redis=NO_REDIS, RELAY_LEASE_SECONDS="1")
    manage("seed_demo", env=env)
    whole = length_of_a_walk(env)
    reader, dice = Reader(database), random.Random(20261123)
    reader.start()
    for number in range(kills):
        before = committed_events(database)
        # three of four after the walk's first event, so that they hit work on a machine of any speed
        begun = (lambda: True) if number % 4 == 0 else lambda known=before: committed_events(database) != known
        walk_and_kill(env, begun=begun, after_s=dice.uniform(0, whole * 0.7))
        assert before.items() <= committed_events(database).items(), "a committed event changed or vanished"
    manage("shell", "-c", CATCH_UP, env=env)
    reader.over.set()
    reader.join()
    assert broken_rules(database) == {}
    committed = committed_events(database)
    assert dict(reader.seen.values()) == committed, "the reader of the feed missed an event"
    assert sorted(reader.seen) == list(range(1, len(committed) + 1))
    undelivered = "SELECT count(*) FROM outbox_delivery WHERE status <> 'done' AND subscriber <> 'realtime'"
    assert read(database, undelivered) == [(0,)]
    assert length_of_a_walk(env)
