from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import transaction

from apps.approvals.models import Decision
from apps.calendars.models import CalendarVersion
from apps.core.errors import AlreadyDecided
from apps.outbox.models import Event
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services.lifecycle import hold_request, resume_request
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import Timer
from tests.factories import Json, make_calendar, make_person, refusal
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
    make_people,
    open_incidents,
    quorum,
    seat_of,
    sitting,
    status_of,
    told,
)
from tests.races import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
FRIDAY = datetime(2026, 11, 27, 14, tzinfo=UTC)  # 15:00 in Amsterdam: two hours before closing
HOUR = timedelta(hours=1)
OFFICE_DAY: Json = {"business_seconds": 8 * 3600, "calendar": "office", "then": "expire"}


def in_time(then: str, **more) -> Json:
    return {**OFFICE_DAY, "then": then, **more}


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    with time_machine.travel(instant, tick=False):
        yield


@pytest.fixture(autouse=True)
def office(db):
    return make_calendar()


@pytest.fixture
def no_calendar(office):
    CalendarVersion.objects.all().delete()


@pytest.fixture
def three(world):
    return make_people("anna", "ben", "carl")


def asked_on_friday(world, *levels: Json, **policy) -> Request:
    with at(FRIDAY):
        return ask(world.requester, *levels, **policy)


def sweep(instant: datetime) -> None:
    with at(instant):
        run_sweeps(instant)


def timer() -> Timer:
    return Timer.objects.get(kind="approval", closed_at=None)


def reminded(request: Request) -> list[int]:
    return [one["percent"] for one in told(request, "approval.reminded")]


# Friday 15:00 + 8 hours: two on Friday till 17:00, six on Monday from 9:00
MONDAY_DUE = datetime(2026, 11, 30, 14, tzinfo=UTC)


def test_the_time_of_a_level_counts_in_business_hours(world, three):
    asked_on_friday(world, level("one", three[0], deadline=OFFICE_DAY))
    assert (timer().due_at, timer().check_at) == (MONDAY_DUE, MONDAY_DUE)


def test_without_a_calendar_the_seconds_are_plain_ones(world, three, no_calendar):
    asked_on_friday(world, level("one", three[0], deadline={"business_seconds": 14400, "then": "expire"}))
    assert timer().due_at == FRIDAY + 4 * HOUR


def test_the_time_of_the_next_level_begins_when_it_opens(world, three):
    request = asked_on_friday(world, level("one", three[0]), level("two", three[1], deadline=OFFICE_DAY))
    with at(FRIDAY + HOUR):
        decide(request, three[0])
    assert timer().due_at == MONDAY_DUE + HOUR


# ------------------------------------------------------------------------------------------ reminders


def test_reminders_go_out_once_at_their_points_to_who_has_not_answered(world, three):
    levels = level("one", *three, rule=ALL, deadline=in_time("expire", remind_at=[50, 75]))
    request = asked_on_friday(world, levels)
    half = MONDAY_DUE - 4 * HOUR  # Monday 11:00
    assert timer().check_at == half
    with at(FRIDAY + HOUR):
        decide(request, three[0])
    sweep(half - timedelta(seconds=1))
    assert reminded(request) == []
    for _ in range(2):
        sweep(half)
    assert reminded(request) == [50]
    assert [seat["user"] for seat in told(request, "approval.reminded")[0]["seats"]] == [three[1].pk, three[2].pk]
    for _ in range(2):
        sweep(MONDAY_DUE - 2 * HOUR)
    assert reminded(request) == [50, 75]
    assert (status_of(request), timer().check_at) == (("pending", 0), MONDAY_DUE)


def test_several_reminders_that_fell_due_while_the_sweep_was_down_are_one(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=in_time("expire", remind_at=[25, 50, 75])))
    sweep(MONDAY_DUE - HOUR)
    assert reminded(request) == [75]
    sweep(MONDAY_DUE - HOUR)
    assert reminded(request) == [75]


def test_a_deadline_that_passed_while_the_sweep_was_down_reminds_nobody(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=in_time("expire", remind_at=[25, 50])))
    sweep(MONDAY_DUE + timedelta(days=2))
    assert (reminded(request), status_of(request)) == ([], ("expired", 0))


def test_a_reminder_at_the_opening_hour_goes_out_once(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=in_time("expire", remind_at=[25])))
    for hours in range(-72, 0, 6):
        sweep(MONDAY_DUE + hours * HOUR)
    assert reminded(request) == [25]


# ------------------------------------------------------------------------------------------ what happens then


@pytest.mark.parametrize(
    ("then", "status", "outcome"),
    [("approve", "approved", None), ("reject", "rejected", "rejected"), ("expire", "expired", "rejected")],
)
def test_time_that_is_up_decides_the_level_as_its_policy_says(world, three, then, status, outcome):
    request = asked_on_friday(world, level("one", three[0], deadline=in_time(then)))
    sweep(MONDAY_DUE - timedelta(seconds=1))
    assert status_of(request) == ("pending", 0)
    sweep(MONDAY_DUE)
    assert status_of(request) == (status, 0)
    assert Request.objects.get(pk=request.pk).outcome == (outcome or "")
    assert [one["then"] for one in told(request, "approval.timed_out")] == [then]
    assert Decision.objects.count() == 0


def test_time_that_is_up_sends_the_request_back(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=in_time("return")))
    sweep(MONDAY_DUE)
    assert status_of(request) == ("returned", 0)
    assert [task.name for task in tasks_of(request)] == ["Mend"]


def test_a_level_approved_by_time_opens_the_next_one_with_its_own_time(world, three):
    levels = level("one", three[0], deadline=in_time("approve")), level("two", three[1], deadline=in_time("reject"))
    request = asked_on_friday(world, *levels)
    sweep(MONDAY_DUE)
    assert (status_of(request), sitting(request)) == (("pending", 1), ["ben"])
    assert timer().due_at == datetime(2026, 12, 1, 14, tzinfo=UTC)


def escalating(*to: Json) -> Json:
    return in_time("escalate", to=list(to))


def test_time_that_is_up_gives_the_level_to_others_one_of_whom_decides(world, three):
    anna, ben, carl = three
    to = escalating({"person": "carl"}, {"person": "stranger"})
    request = asked_on_friday(world, level("one", anna, ben, rule=ALL, deadline=to))
    with at(FRIDAY + HOUR):
        decide(request, anna)
    sweep(MONDAY_DUE)
    assert (status_of(request), sitting(request)) == (("pending", 0), ["anna", "carl", "stranger"])
    assert Timer.objects.filter(kind="approval", closed_at=None).count() == 0
    decide(request, carl)
    assert status_of(request) == ("approved", 0)


def test_an_old_seat_answers_too_late_and_that_is_recorded_nowhere(world, three):
    anna = three[0]
    request = asked_on_friday(world, level("one", anna, deadline=escalating({"person": "carl"})))
    old = seat_of(request, anna)
    sweep(MONDAY_DUE)
    with refusal(AlreadyDecided):
        decide(request, anna)
    assert not Decision.objects.filter(seat=old).exists()
    assert sitting(request) == ["carl"]


def test_somebody_escalated_to_who_sat_already_decides_now(world, three):
    anna, ben, _ = three
    request = asked_on_friday(world, level("one", anna, ben, rule=ALL, deadline=escalating({"person": "anna"})))
    with at(FRIDAY + HOUR):
        decide(request, anna)
    sweep(MONDAY_DUE)
    decide(request, anna)
    assert status_of(request) == ("approved", 0)


def test_an_escalation_seats_deputies_and_keeps_duties_apart(world, three):
    anna, ben, carl = three
    with at(FRIDAY):
        delegate(ben, carl)
    to = escalating({"person": "requester"}, {"person": "ben"})
    request = asked_on_friday(world, level("one", anna, deadline=to), separation=["not_requester"])
    sweep(MONDAY_DUE)
    assert sitting(request) == ["carl for ben"]


def test_an_escalation_to_nobody_asks_the_fallback(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=escalating({"role": "nobody"})))
    sweep(MONDAY_DUE)
    assert (sitting(request), open_incidents(request)) == (["administrator"], [])


def test_an_escalation_to_nobody_without_fallback_tells_an_operator_and_leaves_everything(world, three):
    nobody = {"role": "nobody"}
    request = asked_on_friday(world, level("one", three[0], deadline=escalating(nobody)), fallback=[nobody])
    for _ in range(2):
        sweep(MONDAY_DUE)
    assert (sitting(request), len(told(request, "approval.timed_out"))) == (["anna"], 1)
    assert [one["kind"] for one in told(request, "incident.opened")] == ["escalation"]
    decide(request, three[0])
    assert status_of(request) == ("approved", 0)


def test_who_was_escalated_to_and_leaves_is_replaced_by_the_fallback(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=escalating({"person": "carl"})))
    sweep(MONDAY_DUE)
    leave(three[2])
    sweep(MONDAY_DUE + HOUR)
    assert sitting(request) == ["administrator"]


def test_a_vote_that_waits_for_more_people_is_ended_by_its_time(world, three):
    levels = level("one", {"cel": "'anna'"}, rule=quorum(2), deadline=in_time("reject"))
    request = asked_on_friday(world, levels, fallback=[{"role": "nobody"}])
    sweep(MONDAY_DUE)
    assert status_of(request) == ("rejected", 0)
    sweep(MONDAY_DUE + HOUR)
    assert open_incidents(request) == []


# ------------------------------------------------------------------------------------------ hold, and what is over


def held(request: Request, world, start: datetime, end: datetime) -> None:
    with at(start):
        hold_request(Request.objects.get(pk=request.pk), reason="A part is missing.", actor=world.administrator)
    sweep(end - HOUR / 2)
    with at(end):
        resume_request(Request.objects.get(pk=request.pk), actor=world.administrator)


def test_a_hold_moves_the_time_by_the_business_hours_it_took(world, three):
    deadline = in_time("expire", remind_at=[50])
    request = asked_on_friday(world, level("one", three[0], deadline=deadline))
    held(request, world, FRIDAY + HOUR, datetime(2026, 11, 30, 9, tzinfo=UTC))  # 1 hour on Friday, 1 on Monday
    assert (timer().due_at, timer().check_at) == (MONDAY_DUE + 2 * HOUR, MONDAY_DUE - 2 * HOUR)
    sweep(MONDAY_DUE)
    assert (status_of(request), reminded(request)) == (("pending", 0), [50])
    sweep(MONDAY_DUE + 2 * HOUR)
    assert status_of(request) == ("expired", 0)


def test_a_hold_over_the_due_time_lets_nothing_happen_till_it_is_over(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=OFFICE_DAY))
    held(request, world, FRIDAY + HOUR, datetime(2026, 12, 2, 8, tzinfo=UTC))  # Wednesday 9:00; 7 hours were left
    assert (status_of(request), timer().due_at) == (("pending", 0), datetime(2026, 12, 2, 15, tzinfo=UTC))


def test_plain_seconds_are_moved_by_a_hold_too(world, three, no_calendar):
    request = asked_on_friday(world, level("one", three[0], deadline={"business_seconds": 7200, "then": "expire"}))
    held(request, world, FRIDAY + HOUR, FRIDAY + 5 * HOUR)
    assert timer().due_at == FRIDAY + 6 * HOUR


def test_the_time_of_a_level_that_opened_during_the_hold_begins_with_its_end(world, three, no_calendar):
    plain = {"business_seconds": 7200, "then": "expire"}
    request = asked_on_friday(world, level("one", three[0]), level("two", three[1], deadline=plain))
    with at(FRIDAY + HOUR):
        hold_request(Request.objects.get(pk=request.pk), reason="A part is missing.", actor=world.administrator)
    with at(FRIDAY + 2 * HOUR):
        decide(request, three[0])
    with at(FRIDAY + 5 * HOUR):
        resume_request(Request.objects.get(pk=request.pk), actor=world.administrator)
    assert timer().due_at == FRIDAY + 7 * HOUR


def test_the_timer_of_a_decided_level_closes_silently(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=OFFICE_DAY), level("two", three[1]))
    with at(FRIDAY + HOUR):
        decide(request, three[0])
    events = Event.objects.filter(stream_id=request.pk, type__startswith="approval.")
    before = events.count()
    sweep(MONDAY_DUE)
    assert (Timer.objects.filter(closed_at=None).count(), status_of(request)) == (0, ("pending", 1))
    assert events.count() == before


def test_the_timer_of_a_round_that_was_sent_back_does_not_touch_the_next_one(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=OFFICE_DAY))
    with at(FRIDAY + HOUR):
        decide(request, three[0], "return")
    sweep(MONDAY_DUE)
    assert (approval_of(request).status, told(request, "approval.timed_out")) == ("returned", [])


# ------------------------------------------------------------------------------------------ once only


def killed_while_it_sweeps(instant: datetime) -> None:
    with transaction.atomic():
        run_sweeps(instant)
        raise KeyboardInterrupt


def test_a_sweep_that_is_killed_in_the_middle_is_done_over_once(world, three):
    request = asked_on_friday(world, level("one", three[0], deadline=escalating({"person": "carl"})))
    with pytest.raises(KeyboardInterrupt):
        killed_while_it_sweeps(MONDAY_DUE)
    assert (sitting(request), told(request, "approval.timed_out")) == (["anna"], [])
    for _ in range(2):
        sweep(MONDAY_DUE)
    assert (sitting(request), len(told(request, "approval.timed_out"))) == (["carl"], 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_remind_and_expire_once(world):
    anna = make_person("anna")
    request = asked_on_friday(world, level("one", anna, deadline=in_time("expire", remind_at=[50])))
    for instant in (MONDAY_DUE - HOUR, MONDAY_DUE):
        assert at_once(*[lambda at=instant: run_sweeps(at)] * 2) == []
    assert (reminded(request), status_of(request)) == ([50], ("expired", 0))
    assert len(told(request, "approval.timed_out")) == 1
