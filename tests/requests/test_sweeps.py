from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from apps.approvals.models import Approval
from apps.outbox.models import Event, Incident
from apps.outbox.publish import lock_streams
from apps.requests import sweeps
from apps.requests.models import Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, hold_request
from apps.sla.models import SlaClock
from apps.workflows.models import StepVisit, Timer
from tests.factories import line_document, make_item, make_request, make_workflow

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
HOUR = timedelta(hours=1)


def count(kind: str) -> int:
    return Event.objects.filter(type=kind).count()


def waiting(world, key: str = "waits", seconds: int = 60) -> Request:
    wait = {"id": "pause", "kind": "wait", "name": "Pause", "for": {"seconds": seconds}}
    return make_request(make_item(key, workflow=make_workflow(line_document(key, wait))), world.requester)


def test_a_clock_warns_and_breaches_exactly_once(world):
    request = make_request(world.item, world.requester)
    at = request.submitted_at
    assert sweeps.run_sweeps(at + timedelta(minutes=29))["sla"] == 0
    assert sweeps.run_sweeps(at + timedelta(minutes=31))["sla"] == 1
    assert sweeps.run_sweeps(at + timedelta(minutes=32))["sla"] == 0
    assert (count("sla.warned"), count("sla.breached")) == (1, 0)
    assert sweeps.run_sweeps(at + 2 * HOUR)["sla"] == 1
    assert sweeps.run_sweeps(at + 3 * HOUR)["sla"] == 0
    assert (count("sla.warned"), count("sla.breached")) == (1, 1)
    response = SlaClock.objects.get(stream_id=request.pk, metric="response")
    assert (response.status, response.breached_at) == ("breached", at + HOUR)


def test_a_clock_on_hold_stands_still(world):
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager)
    hold_request(request, reason="part missing", actor=world.lead)
    sweeps.run_sweeps(request.submitted_at + timedelta(days=30))
    assert SlaClock.objects.get(metric="resolution").status == "paused"
    assert count("sla.breached") == 0


def test_a_late_answer_is_a_breach_even_if_no_sweep_came_by(world):
    request = make_request(world.item, world.requester)
    late = request.submitted_at + 2 * HOUR
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager, at=late)
    assert SlaClock.objects.get(stream_id=request.pk, metric="response").status == "breached"
    assert (count("sla.warned"), count("sla.breached"), count("sla.met")) == (1, 1, 0)


def test_a_timer_fires_once_and_the_run_goes_on(world):
    request = waiting(world)
    due = Timer.objects.get().due_at
    assert sweeps.run_sweeps(due - timedelta(seconds=1))["timers"] == 0
    assert sweeps.run_sweeps(due)["timers"] == 1
    assert sweeps.run_sweeps(due)["timers"] == 0
    assert Request.objects.get(pk=request.pk).status == "completed"
    assert (Timer.objects.get().fired, count("wait.done")) == (True, 1)


def test_cancelling_closes_the_timer_unfired(world):
    request = waiting(world)
    cancel_request(request, actor=world.requester)
    timer = Timer.objects.get()
    assert (timer.fired, timer.closed_at is not None) == (False, True)
    assert sweeps.run_sweeps(timer.due_at)["timers"] == 0


def test_a_stream_that_fails_gets_an_incident_and_the_others_go_on(world):
    good, bad = waiting(world, "good"), waiting(world, "bad")
    bad.run.marking = {"tokens": [{"nonsense": True}]}
    bad.run.save(update_fields=["marking"])
    due = max(Timer.objects.values_list("due_at", flat=True))
    assert sweeps.run_sweeps(due)["timers"] == 1
    assert Request.objects.get(pk=good.pk).status == "completed"
    assert Incident.objects.get().stream_id == bad.pk
    assert Timer.objects.get(stream_id=bad.pk).check_at == due + sweeps.PUT_OFF
    assert sweeps.run_sweeps(due)["timers"] == 0


def test_a_run_survives_a_restart_at_any_point(world):
    """Between two writes nothing is kept in memory: the marking, the visits and the timers are all there is."""
    request = waiting(world)
    stored = Request.objects.select_related("run").get(pk=request.pk)
    assert [token["step"] for token in stored.run.marking["tokens"]] == ["pause"]
    assert StepVisit.objects.get(run=stored.run).status == "begun"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_sweep_leaves_a_stream_that_somebody_holds_for_the_next_time(world):
    request, other = waiting(world, "held"), waiting(world, "free")
    due = max(Timer.objects.values_list("due_at", flat=True))
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock_streams([request.pk])
            holding.set()
            release.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)
    assert sweeps.run_sweeps(due)["timers"] == 1
    release.set()
    thread.join()
    assert Request.objects.get(pk=other.pk).status == "completed"
    assert sweeps.run_sweeps(due)["timers"] == 1
    assert Request.objects.get(pk=request.pk).status == "completed"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_warn_once_each(world):
    requests = [make_request(world.item, world.requester) for _ in range(12)]
    now = max(request.submitted_at for request in requests) + timedelta(minutes=31)

    def sweep() -> None:
        sweeps.run_sweeps(now)
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweeps.run_sweeps(now)
    assert count("sla.warned") == 12
