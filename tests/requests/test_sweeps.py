from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.approvals.models import Approval
from apps.calendars.models import CalendarVersion
from apps.calendars.selectors import calendar_of
from apps.core.crypto import audit_ring
from apps.outbox.chain import first_broken
from apps.outbox.models import Event, Incident, Stream
from apps.outbox.publish import lock_streams
from apps.requests import sweeps
from apps.requests.models import Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, hold_request
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.selectors import policy_of
from apps.workflows.models import StepVisit, Timer
from tests.factories import line_document, make_calendar, make_item, make_request, make_workflow
from tests.races import PATIENCE_S, at_once, beside

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def count_of(kind: str) -> int:
    return Event.objects.filter(type=kind).count()


def assert_sound(request: Request) -> list[str]:
    """The stream's chain holds and the request knows its end; the types of its events."""
    events = list(Event.objects.filter(stream_id=request.pk).order_by("seq"))
    assert first_broken(events, ring=audit_ring()) is None
    stream = Stream.objects.get(pk=request.pk)
    assert Request.objects.get(pk=request.pk).revision == stream.last_seq == len(events)
    assert bytes(stream.last_hash) == bytes(events[-1].hash)
    return [event.type for event in events]


def waiting(world, key: str = "waits", seconds: int = 60) -> Request:
    wait = {"id": "pause", "kind": "wait", "name": "Pause", "for": {"seconds": seconds}}
    return make_request(make_item(key, workflow=make_workflow(line_document(key, wait))), world.requester)


def test_a_clock_warns_and_breaches_exactly_once(world):
    request = make_request(world.item, world.requester)
    at = request.submitted_at
    assert sweeps.run_sweeps(at + timedelta(minutes=29))["sla"] == 0
    assert sweeps.run_sweeps(at + timedelta(minutes=31))["sla"] == 1
    assert sweeps.run_sweeps(at + timedelta(minutes=32))["sla"] == 0
    assert (count_of("sla.warned"), count_of("sla.breached")) == (1, 0)
    assert sweeps.run_sweeps(at + 2 * HOUR)["sla"] == 1
    assert sweeps.run_sweeps(at + 3 * HOUR)["sla"] == 0
    assert (count_of("sla.warned"), count_of("sla.breached")) == (1, 1)
    response = SlaClock.objects.get(stream_id=request.pk, metric="response")
    assert (response.status, response.breached_at) == ("breached", at + HOUR)


@pytest.mark.parametrize("count", [1, 3])
def test_clocks_of_several_requests_fall_due_in_the_same_statements(world, count):
    requests = [make_request(world.item, world.requester) for _ in range(count)]
    late = max(request.submitted_at for request in requests) + 2 * HOUR
    sla = next(sweep for sweep in sweeps.SWEEPS if sweep.name == "sla")
    policy_of(SlaPolicyVersion.objects.get().pk)
    with CaptureQueriesContext(connection) as captured:
        assert sla.run(late) == count
    statements = [query["sql"] for query in captured if query["sql"].startswith(("SELECT", "INSERT", "UPDATE"))]
    assert len(statements) == 7  # streams, clocks; clocks, events, heads, requests written; no streams any more
    assert (count_of("sla.warned"), count_of("sla.breached")) == (count, count)
    for request in requests:
        assert_sound(request)


def poisoned(request: Request) -> CalendarVersion:
    """The calendar that only this request counts by, as nonsense in the database."""
    calendar = SlaClock.objects.get(stream_id=request.pk).calendar
    assert calendar is not None
    CalendarVersion.objects.filter(pk=calendar.pk).update(document={"nonsense": True})
    calendar_of.cache_clear()
    return calendar


def by_calendar(world, count: int) -> list[Request]:
    """Requests with a clock of eight business hours each, that of the last by a calendar version of its own."""
    work = {level: {"business_seconds": 28_800} for level in ("critical", "high", "medium", "low")}
    target = {"id": "fix", "metric": "resolution", "calendar": "office", "durations": work, "warn_at": [50]}
    SlaPolicyVersion.freeze("standard", {"targets": [target]})
    office = make_calendar()
    requests = [make_request(world.item, world.requester) for _ in range(count - 1)]
    CalendarVersion.freeze("office", {**office.document, "holidays": {"2020-01-01": "New Year"}})
    return [*requests, make_request(world.item, world.requester)]


def test_a_clock_that_cannot_be_checked_is_put_off_with_one_incident_and_all_others_fall_due(world):
    *good, bad = by_calendar(world, 6)
    calendar, before = poisoned(bad), assert_sound(bad)
    late = max(request.submitted_at for request in good) + 30 * DAY
    assert sweeps.run_sweeps(late)["sla"] == 5
    assert (count_of("sla.warned"), count_of("sla.breached")) == (5, 5)
    for request in good:
        assert_sound(request)
    row = SlaClock.objects.get(stream_id=bad.pk)
    assert (row.status, row.warned, row.next_check_at) == ("running", [], late + sweeps.PUT_OFF)
    assert [(one.stream_id, one.kind, one.key) for one in Incident.objects.all()] == [(bad.pk, "sweep", "sla")]
    assert assert_sound(bad) == [*before, "incident.opened"]
    assert sweeps.run_sweeps(late)["sla"] == 0
    CalendarVersion.objects.filter(pk=calendar.pk).update(document=calendar.document)
    assert sweeps.run_sweeps(late + sweeps.PUT_OFF)["sla"] == 1
    assert assert_sound(bad) == [*before, "incident.opened", "sla.warned", "sla.breached"]
    assert list(SlaClock.objects.values_list("status", "breached_at").filter(pk=row.pk)) == [("breached", row.due_at)]


@pytest.mark.postgres
@pytest.mark.parametrize("count", [3, 33])
def test_of_many_clocks_only_the_one_that_cannot_be_checked_goes_the_ordinary_way(world, count):
    *good, bad = by_calendar(world, count)
    poisoned(bad)
    with CaptureQueriesContext(connection) as captured:
        sweeps.run_sweeps(max(request.submitted_at for request in good) + 30 * DAY)
    reads = [query["sql"] for query in captured if query["sql"].endswith('FOR UPDATE OF "outbox_stream"')]
    assert len([sql for sql in reads if "requests_request" in sql]) == 1
    assert count_of("sla.breached") == count - 1


def test_a_clock_that_was_put_off_is_breached_all_the_same_by_a_late_answer(world):
    request = make_request(world.item, world.requester)
    SlaClock.objects.update(next_check_at=request.submitted_at + 9 * HOUR)
    late = request.submitted_at + 2 * HOUR
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager, at=late)
    response = SlaClock.objects.get(metric="response")
    assert (response.status, response.breached_at, response.stopped_at) == (
        "breached", request.submitted_at + HOUR, late,
    )  # fmt: skip
    assert (count_of("sla.warned"), count_of("sla.breached"), count_of("sla.met")) == (1, 1, 0)


def test_a_clock_on_hold_stands_still(world):
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager)
    hold_request(request, reason="part missing", actor=world.lead)
    sweeps.run_sweeps(request.submitted_at + timedelta(days=30))
    assert SlaClock.objects.get(metric="resolution").status == "paused"
    assert count_of("sla.breached") == 0


def test_a_late_answer_is_a_breach_even_if_no_sweep_came_by(world):
    request = make_request(world.item, world.requester)
    late = request.submitted_at + 2 * HOUR
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager, at=late)
    assert SlaClock.objects.get(stream_id=request.pk, metric="response").status == "breached"
    assert (count_of("sla.warned"), count_of("sla.breached"), count_of("sla.met")) == (1, 1, 0)


def test_a_timer_fires_once_and_the_run_goes_on(world):
    request = waiting(world)
    due = Timer.objects.get().due_at
    assert sweeps.run_sweeps(due - timedelta(seconds=1))["timers"] == 0
    assert sweeps.run_sweeps(due)["timers"] == 1
    assert sweeps.run_sweeps(due)["timers"] == 0
    assert Request.objects.get(pk=request.pk).status == "completed"
    assert (Timer.objects.get().fired, count_of("wait.done")) == (True, 1)


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
            release.wait(PATIENCE_S)

    thread = beside(hold)
    assert holding.wait(PATIENCE_S)
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
    assert at_once(*[lambda: sweeps.run_sweeps(now)] * 3) == []
    sweeps.run_sweeps(now)
    assert count_of("sla.warned") == 12
