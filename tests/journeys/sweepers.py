"""Sweepers that can be killed at any moment, and requests whose clocks fall due while they work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection

from apps.core import clock
from apps.core.crypto import audit_ring
from apps.outbox.chain import first_broken
from apps.outbox.models import Delivery, Event, Incident
from apps.requests.models import Request
from apps.requests.selectors.clocks import explained_clocks
from apps.requests.services.lifecycle import Wish, create_request
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.stored import state_of
from tests.factories import line_document, make_item, make_person, make_workflow
from tests.journeys.ledger import broken_rules
from tests.journeys.processes import ROOT, database_url, wait_until

ALLOWED_S, LAST_AT_S = 2, 3
ESCALATIONS: list[dict[str, Any]] = [
    {"id": "told", "at": 95, "do": "notify", "to": [{"person": "lead"}], "text": "Look here"},
    {"id": "given", "at": 100, "do": "reassign", "to": [{"person": "senior"}]},
    {"id": "louder", "after_breach": 1, "do": "raise_priority"},
    {"id": "said", "after_breach": 1, "do": "run_action", "action": "comment", "with": {"text": "Late"}},
]
TARGET = {
    "id": "fix",
    "metric": "resolution",
    "durations": {level: {"seconds": ALLOWED_S} for level in ("critical", "high", "medium", "low")},
    "warn_at": [50, 90],
    "escalations": ESCALATIONS,
}
WAIT = {"id": "pause", "kind": "wait", "name": "Pause", "for": {"seconds": 864_000}}
TOLD = {
    "request.drafted": 1,
    "request.validated": 1,
    "request.workflow_selected": 1,
    "request.submitted": 1,
    "sla.started": 1,
    "run.started": 1,
    "wait.opened": 1,
    "sla.warned 50": 1,
    "sla.warned 90": 1,
    "sla.breached": 1,
    **{f"sla.escalated {one['id']}": 1 for one in ESCALATIONS},
    "notice.sent": 1,
    "request.assigned": 1,
    "request.priority_changed": 1,
    "comment.added": 1,
}


def requests_that_fall_due(count: int, *, seconds: float) -> list[Request]:
    """Requests whose clocks pass two warnings, a breach and four escalations; the first are through with all of it by
    now, the last begins in so many seconds.
    """
    for name in ("lead", "senior"):
        make_person(name)
    requester = make_person("requester")
    SlaPolicyVersion.freeze("standard", {"targets": [TARGET]})
    item = make_item(sla_key="standard", workflow=make_workflow(line_document("waits", WAIT)))
    wish, begin = Wish(title="Please", data={"reason": "x"}), clock.now() - timedelta(seconds=LAST_AT_S)
    step = (LAST_AT_S + seconds) / count
    return [
        create_request(item, wish, actor=requester, at=begin + timedelta(seconds=n * step - 1)) for n in range(count)
    ]


def one_more_like(request: Request) -> Request:
    """Another one, whose clock has all of that behind it and nobody has noticed."""
    at = clock.now() - timedelta(seconds=LAST_AT_S + 1)
    return create_request(request.item, Wish(title="Please", data={"reason": "x"}), actor=request.requester, at=at)


# ------------------------------------------------------------------------------------ sweepers

NURSERY = """
import os, signal, sys, time
import django
django.setup()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from django.db import connection
from apps.outbox.relay import run_relay
from apps.requests.sweeps import run_sweeps
def now_in(part):
    with connection.cursor() as cursor:
        cursor.execute("SET application_name = '" + part + "'")
def work():
    while True:
        now_in("sweep")
        run_sweeps()
        now_in("relay")
        run_relay(rounds=2)
for line in sys.stdin:
    child = os.fork()
    if not child:
        work()
    print(child, flush=True)
"""
OPEN = """
SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
"""


@dataclass
class Nursery:
    """A process with everything loaded that forks sweepers, which begin to work at once."""

    process: subprocess.Popen[str]
    alive: list[int] = field(default_factory=list)

    def sweeper(self) -> int:
        """The id of a new process that runs sweeps and the relay in turn until it is killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print("one more", file=self.process.stdin, flush=True)
        self.alive.append(int(self.process.stdout.readline()))
        return self.alive[-1]

    def kill(self, pid: int) -> list[str]:
        """SIGKILL; returns what it was in the middle of: `sweep` or `relay` if a transaction of its held locks.

        It is frozen before we look, so what we see open cannot be committed any more.
        """
        os.kill(pid, signal.SIGSTOP)
        found = in_the_middle_of()
        self.end(pid)
        return found

    def end(self, pid: int) -> None:
        self.alive.remove(pid)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _lives(pid), seconds=60, what="the killed process is gone")


def in_the_middle_of() -> list[str]:
    """The parts of the sweepers' work that have an open transaction with locks."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN)
        return [name for (name,) in cursor.fetchall()]


def _lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@contextmanager
def nursery() -> Iterator[Nursery]:
    """On this test's database; a lease of the relay ends after a second."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "serviceflow.settings.test",
        "TEST_DATABASE_URL": database_url(connection.settings_dict["NAME"]),
        "RELAY_LEASE_SECONDS": "1",
    }
    command = [sys.executable, "-c", NURSERY]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        found = Nursery(started)
        try:
            yield found
        finally:
            for pid in [*found.alive]:
                with suppress(ProcessLookupError):
                    found.end(pid)
            started.terminate()


# ------------------------------------------------------------------------------------ what must be true


def wait_until_settled(*, seconds: float = 300) -> None:
    """No clock is due any more, everything is placed and delivered."""

    def settled() -> bool:
        waiting = Delivery.objects.exclude(status="done").exists() or Event.objects.filter(position=None).exists()
        return not waiting and not SlaClock.objects.exclude(next_check_at=None).exists()

    wait_until(settled, seconds=seconds, what="every clock and every delivery is through")
    time.sleep(0.2)


def wrongs(requests: Sequence[Request]) -> list[str]:
    """What did not happen exactly once, and what is not as a replay of the events says; empty if all is well."""
    found = [f"{rule}: {rows}" for rule, rows in broken_rules(database_url(connection.settings_dict["NAME"])).items()]
    found += [f"incident: {one.detail}" for one in Incident.objects.all()]
    return found + [wrong for request in requests for wrong in _wrongs_of(request)]


def _label(event: Event) -> str:
    """The type, of a warning with its percentage, of an escalation with its id."""
    which = event.data.get("percent", event.data.get("escalation", "")) if event.type.startswith("sla.") else ""
    return f"{event.type} {which}".strip()


def _wrongs_of(request: Request) -> Iterator[str]:
    events = list(Event.objects.filter(stream_id=request.pk).order_by("seq"))
    told = Counter(_label(event) for event in events)
    if told != Counter(TOLD):
        yield f"{request.number} missed {Counter(TOLD) - told} or told twice {told - Counter(TOLD)}"
    if first_broken(events, ring=audit_ring()) is not None:
        yield f"{request.number} has a broken chain"
    for one in explained_clocks(request):
        if state_of(one.clock) != one.reading.state:
            yield f"{request.number} has a clock that no replay gives: {state_of(one.clock)}"
    now = Request.objects.get(pk=request.pk)
    if (now.assignee and now.assignee.username, now.urgency, now.comments.count()) != ("senior", "high", 1):
        yield f"{request.number} was not escalated as told"
