"""One key and many transactions at once, on PostgreSQL: one holder at any time, everybody served, no deadlock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from apps.core.errors import DomainError
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services.keys import KeyTaken
from apps.requests.services.work import claim_task, complete_task, send_message
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import KeyClaim, Task
from tests.factories import Json, line_document, make_request
from tests.journeys.processes import ROOT, database_url
from tests.races import at_once, beside, in_one_transaction
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, make_flow

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
USE: Json = {"id": "use", "kind": "task", "name": "Use", "assign": {"team": "it"}, "exclusive": "'printer'"}
TAKE: Json = {"id": "take", "kind": "wait", "name": "Take", "for": {"message": "back"}, "exclusive": "'printer'"}
MANY = 10
HOLD_AND_SLEEP = """
import sys, time
import django
django.setup()
from django.db import transaction
from apps.accounts.models import User
from apps.requests.services.work import claim_task
from apps.workflows.models import Task
with transaction.atomic():
    claim_task(Task.objects.get(pk=int(sys.argv[1])), actor=User.objects.get(username="worker"))
    print("holding", flush=True)
    time.sleep(120)
"""


def open_claims() -> list[tuple[int, bool]]:
    rows = KeyClaim.objects.filter(ended_at=None).order_by("id")
    return [(claim.stream_id, claim.granted_at is not None) for claim in rows]


def holder() -> int | None:
    holding = [stream for stream, granted in open_claims() if granted]
    assert len(holding) <= 1
    return holding[0] if holding else None


def task_of(request: Request) -> Task:
    return tasks_of(request).get()


def serve_until_nobody_waits(world, requests: list[Request], *pumps: Callable[[], object]) -> list[int]:
    """Whoever holds the key gives it back at once, while the pumps run beside; the holders in order."""
    served, over = [], threading.Event()

    def give_back() -> None:
        end = time.monotonic() + 90
        while len(served) < len(requests) and time.monotonic() < end:
            stream = holder()
            if stream is not None:
                with transaction.atomic():
                    send_message(Request.objects.get(pk=stream), name="back", actor=world.administrator)
                served.append(stream)
        over.set()

    def pumping(pump: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            while not over.is_set():
                pump()

        return run

    assert at_once(give_back, *(pumping(pump) for pump in pumps)) == []
    return served


def test_ten_people_begin_at_once_and_one_has_the_key(world):
    item = make_flow(line_document("shared", USE))
    tasks = [task_of(make_request(item, world.requester)) for _ in range(MANY)]
    raised = at_once(
        *(lambda task=task: in_one_transaction(lambda: claim_task(task, actor=world.worker)) for task in tasks)
    )
    assert [type(error) for error in raised] == [KeyTaken] * (MANY - 1)
    assert Task.objects.filter(status="claimed").count() == 1
    assert [granted for _, granted in open_claims()] == [True]
    for task in tasks:
        assert_agreement(Request.objects.get(pk=task.stream_id))


def test_ten_people_use_it_one_after_the_other_by_trying_again(world):
    item = make_flow(line_document("shared", USE))
    tasks = [task_of(make_request(item, world.requester)) for _ in range(MANY)]

    def insist(act: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                in_one_transaction(act)
            except KeyTaken:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("never served")

    def use(task: Task) -> None:
        insist(lambda: claim_task(task, actor=world.worker))
        assert holder() == task.stream_id
        in_one_transaction(lambda: complete_task(task, actor=world.worker))

    assert at_once(*(lambda task=task: use(task) for task in tasks)) == []
    assert Request.objects.filter(status="completed").count() == MANY
    assert open_claims() == []


def test_ten_requests_that_ask_at_once_are_all_served_with_one_holder_at_any_time(world):
    item = make_flow(line_document("shared", TAKE))
    raised = at_once(*[lambda: in_one_transaction(lambda: make_request(item, world.requester))] * MANY)
    assert raised == []
    requests = list(Request.objects.all())
    assert len(open_claims()) == MANY
    served = serve_until_nobody_waits(world, requests, run_relay, run_relay, run_sweeps)
    assert sorted(served) == sorted(request.pk for request in requests)
    assert {fresh(request).status for request in requests} == {"completed"}
    assert open_claims() == []


def test_the_line_is_served_in_order_whoever_serves_it(world):
    item = make_flow(line_document("shared", TAKE))
    requests = [make_request(item, world.requester) for _ in range(MANY)]
    served = serve_until_nobody_waits(world, requests, run_relay, run_sweeps, run_sweeps)
    assert served == [request.pk for request in requests]


def test_giving_back_cancelling_asking_and_sweeping_at_once_make_no_deadlock(world):
    item = make_flow(line_document("shared", TAKE))
    requests = [make_request(item, world.requester) for _ in range(MANY)]

    def give_back(request: Request) -> None:
        with transaction.atomic():
            send_message(request, name="back", actor=world.administrator)

    raised = at_once(
        *(lambda request=request: give_back(request) for request in requests[:4]),
        *(lambda: in_one_transaction(lambda: make_request(item, world.requester)) for _ in range(3)),
        run_relay,
        run_sweeps,
        run_sweeps,
    )
    assert [error for error in raised if not isinstance(error, DomainError)] == []
    run_relay()
    run_sweeps()
    assert holder() is not None
    for request in Request.objects.all():
        assert_agreement(request)


def test_a_process_that_is_killed_while_it_takes_the_key_leaves_nothing(world):
    item = make_flow(line_document("shared", USE))
    first, second = (task_of(make_request(item, world.requester)) for _ in range(2))
    env = {**os.environ, "TEST_DATABASE_URL": database_url(connection.settings_dict["NAME"])}
    command = [sys.executable, "-c", HOLD_AND_SLEEP, str(first.pk)]
    killed = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "holding\n"
        waiting = beside(lambda: claim_task(second, actor=world.worker))
        waiting.join(1)
        assert waiting.is_alive()
        killed.kill()
        waiting.join(60)
        assert not waiting.is_alive()
    finally:
        killed.kill()
        killed.wait()
        killed.stdout.close()
    assert open_claims() == [(second.stream_id, True)]
    assert (task_of(Request.objects.get(pk=first.stream_id)).status, holder()) == ("open", second.stream_id)
    for task in (first, second):
        assert_agreement(Request.objects.get(pk=task.stream_id))
