"""Open waits and deadlines that count business time move with their calendar."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.calendars.business_time import add
from apps.calendars.selectors import calendar_of
from apps.requests.services.lifecycle import hold_request, resume_request
from apps.requests.services.rebasing_work import (
    ask_rebase,
    confirm_rebase,
    rebase_to_calendar,
)
from apps.requests.services.rebasing_worker import run_rebasings
from apps.workflows.models import Timer
from tests.factories import make_calendar, make_request
from tests.factories.approvals import make_approval_item
from tests.requests.flows import submit
from tests.requests.rebases import carried, rebased, shorter_hours, waiting

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.mark.parametrize("retroactive", [False, True])
def test_an_open_wait_moves_with_its_calendar_and_the_event_says_when(world, retroactive):
    make_calendar()
    request = submit(world, waiting())
    timer = Timer.objects.get()
    new = shorter_hours()
    rebase = rebase_to_calendar("office", retroactive=retroactive)
    row = ask_rebase(rebase, actor=world.administrator)
    assert (row.total, row.clocks, row.timers) == (1, 0, 1)
    assert Timer.objects.get().due_at == timer.due_at
    confirm_rebase(row, actor=world.administrator)
    run_rebasings()
    moved = Timer.objects.get()
    by_hand = add(calendar_of(new.pk), request.submitted_at, 36_000)
    assert moved.check_at == moved.due_at
    if retroactive:
        assert moved.due_at == by_hand
    else:
        assert abs(moved.due_at - by_hand) < timedelta(minutes=1)
    assert rebased(request)[0]["timers"] == [{"timer": timer.pk, "due_at": moved.due_at.isoformat()}]


def test_a_deadline_that_a_hold_has_put_off_is_put_off_by_the_new_calendar_too(world):
    make_calendar()
    level: dict = {"deadline": {"business_seconds": 36_000, "calendar": "office", "then": "expire", "remind_at": [50]}}
    item = make_approval_item(
        {"id": "one", "name": "One", "approvers": [{"person": "worker"}], "rule": {"kind": "any"}, **level}
    )
    request = make_request(item, world.requester)
    hold_request(request, reason="wait", actor=world.administrator)
    resume_request(request, actor=world.administrator)
    new = shorter_hours()
    carried(world, rebase_to_calendar("office", retroactive=True))
    timer = Timer.objects.get()
    by_hand = add(calendar_of(new.pk), request.submitted_at, 36_000)
    assert abs(timer.due_at - by_hand) < timedelta(minutes=1)
    assert timer.check_at == add(calendar_of(new.pk), timer.due_at, -18_000)
