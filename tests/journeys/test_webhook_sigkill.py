"""SIGKILL of the worker that sends a webhook: it is sent again under the same id, and the run moves once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from django.db import connection

from apps.outbox.models import Delivery, Event
from apps.requests.models import Request
from apps.workflows.models import ActionCall
from tests.core.http_receiver import Receiver, answer, receiving
from tests.factories import line_document, make_item, make_person, make_request, make_team, make_workflow
from tests.journeys.ledger import broken_rules
from tests.journeys.processes import ROOT, database_url, wait_until
from tests.requests.agreement import assert_agreement

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
WORKER = """
import time
import django
django.setup()
from apps.outbox.relay import run_relay
while True:
    run_relay()
    time.sleep(0.02)
"""


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the relay until it is killed; its leases end after a second."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "serviceflow.settings.test",
        "TEST_DATABASE_URL": database_url(connection.settings_dict["NAME"]),
        "OUTGOING_ALLOWED_ADDRESSES": "127.0.0.0/8",
        "RELAY_LEASE_SECONDS": "1",
    }
    started = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=env)
    try:
        yield started
    finally:
        kill(started)


def kill(started: subprocess.Popen[bytes]) -> None:
    started.send_signal(signal.SIGKILL)
    started.wait()


def submit(there: Receiver) -> Request:
    call = {"id": "call", "kind": "action", "name": "Call", "action": "webhook"}
    call["with"] = {"url": there.url(), "body": {"number": "request.number"}, "into": "receipt"}
    requester = make_person("requester")
    make_team("it", make_person("worker"))
    item = make_item("call", workflow=make_workflow(line_document("call", call)))
    return make_request(item, requester)


def told(request: Request, kind: str) -> int:
    return Event.objects.filter(stream_id=request.pk, type=kind).count()


def all_delivered() -> bool:
    waiting = Delivery.objects.exclude(status="done").exists()
    return not waiting and not Event.objects.filter(position=None).exists()


def assert_moved_once(request: Request, there: Receiver) -> None:
    assert len({call.headers["webhook-id"] for call in there.calls}) == 1
    assert len({call.body for call in there.calls}) == 1
    assert (told(request, "action.done"), told(request, "request.completed")) == (1, 1)
    assert [(call.status, call.attempts) for call in ActionCall.objects.all()] == [("done", 1)]
    assert Request.objects.get(pk=request.pk).status == "completed"
    assert_agreement(request)
    assert broken_rules(database_url(connection.settings_dict["NAME"])) == {}


def test_a_worker_killed_between_sending_and_marking_sends_again_and_the_run_moves_once():
    held_back, first = threading.Event(), [True]

    def act(handler: BaseHTTPRequestHandler) -> None:
        if first and first.pop():
            held_back.wait(60)
            return
        answer(body=b'"thanks"')(handler)

    with receiving(act) as there:
        request = submit(there)
        with worker() as killed:
            wait_until(lambda: len(there.calls) == 1, seconds=60, what="the webhook is sent")
            kill(killed)
        held_back.set()
        assert (ActionCall.objects.get().status, Request.objects.get(pk=request.pk).status) == ("pending", "submitted")
        with worker():
            wait_until(all_delivered, seconds=60, what="another worker takes over")
    assert len(there.calls) == 2
    assert Request.objects.get(pk=request.pk).data["receipt"] == "thanks"
    assert_moved_once(request, there)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 20))])
def test_a_worker_killed_at_random_moments_around_the_answer_moves_the_run_once(seed: int):
    dice = random.Random(seed)
    with receiving(answer(body=b'"thanks"')) as there:
        request = submit(there)
        for kills in range(1, 4):
            with worker() as killed:
                wait_until(lambda n=kills: len(there.calls) >= n or all_delivered(), seconds=60, what="it is sent")
                time.sleep(dice.uniform(0, 0.06))
                kill(killed)
            time.sleep(1.1)
        with worker():
            wait_until(all_delivered, seconds=60, what="another worker takes over")
    assert 1 <= len(there.calls) <= 4
    assert_moved_once(request, there)
