from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from apps.outbox.models import Event
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services.lifecycle import hold_request, resume_request
from apps.requests.services.work import claim_task, complete_task
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import Task, Timer
from tests.factories import Json, line_document, make_calendar
from tests.races import at_once
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
THURSDAY = datetime(2026, 11, 26, 15, tzinfo=UTC)  # 16:00 in Amsterdam: an hour before closing
HOUR = timedelta(hours=1)
WORK: Json = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}
CHASE: Json = {"id": "chase", "kind": "task", "name": "Chase", "assign": {"team": "it"}}
PLAIN: Json = {"seconds": 7200}
OFFICE: Json = {"business_seconds": 7200, "calendar": "office"}


def chased(after: Json = PLAIN, *, interrupt: bool = False, step: Json = WORK) -> Json:
    """A task with a deadline that leads to another task, which ends by itself."""
    document = line_document("chased", {**step, "deadlines": [{"id": "late", "after": after, "interrupt": interrupt}]})
    document["steps"] += [CHASE, {"id": "over", "kind": "end", "outcome": "rejected"}]
    document["transitions"] += [
        {"from": step["id"], "to": "chase", "deadline": "late"},
        {"from": "chase", "to": "over"},
    ]
    return document


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    with time_machine.travel(instant, tick=False):
        yield


def open_steps(request: Request) -> list[str]:
    tasks = tasks_of(request).filter(status__in=("open", "claimed"))
    return sorted(tasks.values_list("visit__step", flat=True))


def task_at(step: str) -> Task:
    return Task.objects.get(visit__step=step)


def due_at() -> datetime:
    return Timer.objects.get(kind="deadline", closed_at=None).due_at


def held_for(request: Request, world, start: datetime, end: datetime) -> None:
    with at(start):
        hold_request(fresh(request), reason="A part is missing.", actor=world.lead)
    with at(end):
        resume_request(fresh(request), actor=world.lead)


def test_an_interrupting_deadline_takes_the_work_back_and_moves_on(world):
    request = submit(world, chased(interrupt=True))
    claim_task(task_at("work"), actor=world.worker)
    assert_agreement(request)
    run_sweeps(due_at())
    assert (task_at("work").status, open_steps(request)) == ("withdrawn", ["chase"])
    assert_agreement(request)
    complete_task(task_at("chase"), actor=world.worker)
    assert fresh(request).status == "rejected"


def test_a_deadline_that_does_not_interrupt_opens_a_side_branch_once(world):
    request = submit(world, chased())
    due = due_at()
    assert [run_sweeps(due)["timers"], run_sweeps(due + HOUR)["timers"]] == [1, 0]
    assert open_steps(request) == ["chase", "work"]
    assert_agreement(request)
    told = Event.objects.get(stream_id=request.pk, type="deadline.passed")
    assert (told.actor, told.data["step"], told.data["deadline"]) == ("system", "work", "late")
    complete_task(task_at("work"), actor=world.worker)
    assert fresh(request).status == "in_progress"
    complete_task(task_at("chase"), actor=world.worker)
    assert fresh(request).status == "rejected"


def test_completing_in_time_closes_the_deadline(world):
    request = submit(world, chased())
    due = due_at()
    complete_task(task_at("work"), actor=world.worker)
    assert (fresh(request).status, Timer.objects.get().fired) == ("completed", False)
    assert run_sweeps(due)["timers"] == 0
    assert_agreement(request)


def test_business_time_counts_by_the_pinned_calendar(world):
    make_calendar("office")
    with at(THURSDAY):
        request = submit(world, chased(OFFICE))
    assert due_at() == THURSDAY + 18 * HOUR  # Friday at 10:00
    assert fresh(request).pins["calendars"].keys() == {"office"}


@pytest.mark.parametrize(
    ("after", "due"),
    [(PLAIN, THURSDAY + timedelta(hours=50)), (OFFICE, datetime(2026, 11, 30, 9, 30, tzinfo=UTC))],
    ids=["plain", "business"],
)
def test_hold_stops_a_deadline_and_resuming_moves_it(world, after, due):
    make_calendar("office")
    with at(THURSDAY):
        request = submit(world, chased(after))
    with at(THURSDAY + HOUR / 2):
        hold_request(fresh(request), reason="A part is missing.", actor=world.lead)
    assert run_sweeps(THURSDAY + timedelta(days=1))["timers"] == 0
    with at(THURSDAY + 48.5 * HOUR):  # a Saturday: an hour and a half are left
        resume_request(fresh(request), actor=world.lead)
    assert due_at() == due
    assert_agreement(request)
    run_sweeps(due)
    assert open_steps(request) == ["chase", "work"]


def test_a_deadline_that_began_while_the_request_was_held_is_moved_by_less(world):
    document = chased(step={**WORK, "id": "second"})
    document["steps"].insert(1, {**WORK, "id": "first"})
    document["transitions"][0] = {"from": "start", "to": "first"}
    document["transitions"].append({"from": "first", "to": "second"})
    with at(THURSDAY):
        request = submit(world, document)
    with at(THURSDAY + HOUR):
        hold_request(fresh(request), reason="A part is missing.", actor=world.lead)
    with at(THURSDAY + 5 * HOUR):
        complete_task(task_at("first"), actor=world.worker)
    with at(THURSDAY + 6 * HOUR):
        resume_request(fresh(request), actor=world.lead)
    assert due_at() == THURSDAY + 8 * HOUR


def test_two_holds_add_up(world):
    with at(THURSDAY):
        request = submit(world, chased())
    held_for(request, world, THURSDAY + HOUR / 2, THURSDAY + HOUR)
    held_for(request, world, THURSDAY + 2 * HOUR, THURSDAY + 3 * HOUR)
    assert due_at() == THURSDAY + 3.5 * HOUR


def test_a_deadline_at_a_point_in_time_is_not_moved_but_waits_for_the_resuming(world):
    until = {"until": "request.created_at + duration('7200s')"}
    with at(THURSDAY):
        request = submit(world, chased(until))
        hold_request(fresh(request), reason="A part is missing.", actor=world.lead)
    assert run_sweeps(THURSDAY + 3 * HOUR)["timers"] == 0
    with at(THURSDAY + 3 * HOUR):
        resume_request(fresh(request), actor=world.lead)
    assert due_at() == THURSDAY + 2 * HOUR
    assert run_sweeps(THURSDAY + 3 * HOUR)["timers"] == 1


def test_a_timer_that_an_earlier_one_of_the_same_sweep_has_closed_does_not_fire(world):
    document = chased(interrupt=True)
    document["steps"][1]["deadlines"].insert(0, {"id": "very", "after": {"seconds": 9000}, "interrupt": True})
    document["transitions"].append({"from": "work", "to": "over", "deadline": "very"})
    request = submit(world, document)
    run_sweeps(request.submitted_at + timedelta(days=1))
    assert sorted(Timer.objects.values_list("deadline", "fired")) == [("late", True), ("very", False)]
    assert open_steps(request) == ["chase"]
    assert_agreement(request)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_fire_each_deadline_once(world):
    requests = [submit(world, {**chased(), "workflow": f"chased{n}"}) for n in range(8)]
    due = max(Timer.objects.values_list("due_at", flat=True))
    assert at_once(*[lambda: run_sweeps(due)] * 3) == []
    run_sweeps(due)
    assert Event.objects.filter(type="deadline.passed").count() == 8
    assert Task.objects.filter(visit__step="chase").count() == 8
    for request in requests:
        assert_agreement(request)
