"""The look at a rebase: what would change."""

from __future__ import annotations

import pytest

from apps.accounts.models import Team
from apps.approvals.models import Approval
from apps.outbox.models import Incident
from apps.requests.models import Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.rebasing_look import preview
from apps.requests.services.rebasing_work import (
    ask_rebase,
    rebase_to_calendar,
    rebase_to_policy,
)
from apps.sla.models import SlaClock
from apps.workflows.models import StepVisit
from tests.factories import make_calendar, make_request
from tests.requests.flows import fresh, submit
from tests.requests.rebases import BUSINESS, carried, shorter_hours, waiting
from tests.requests.test_clocks import policy, resolution

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_look_takes_the_same_statements_for_one_and_for_three(world, django_assert_num_queries):
    make_calendar()
    policy("standard", resolution(calendar="office", durations=BUSINESS))
    make_request(world.item, world.requester)
    shorter_hours()
    rebase = rebase_to_calendar("office", retroactive=True)
    preview(rebase)
    with django_assert_num_queries(7):
        assert preview(rebase).clocks == 1
    for _ in range(2):
        make_request(world.item, world.requester)
    with django_assert_num_queries(7):
        assert preview(rebase).clocks == 1


def without_its_calendar(request: Request) -> Request:
    """The request, pinned to a version of a calendar that is gone."""
    Request.objects.filter(pk=request.pk).update(pins={**fresh(request).pins, "calendars": {"office": 999_999}})
    return request


@pytest.mark.parametrize("retroactive", [False, True])
def test_a_request_that_cannot_be_measured_is_named_and_the_others_are_looked_at(world, retroactive):
    make_calendar()
    policy("standard", resolution())
    sound, broken, other = (make_request(world.item, world.requester) for _ in range(3))
    without_its_calendar(broken)
    policy("standard", resolution(calendar="office", durations=BUSINESS))
    row = ask_rebase(rebase_to_policy("standard", retroactive=retroactive), actor=world.administrator)
    assert (row.status, row.seen, row.clocks, row.moved, row.unmeasured) == ("looked_at", 3, 3, 2, 1)
    assert [one["number"] for one in row.shown] == [sound.number, other.number]
    assert row.reasons == [{"number": broken.number, "reason": "CalendarVersion matching query does not exist."}]
    assert carried(world, rebase_to_policy("standard", retroactive=retroactive)).changed == 2
    assert Incident.objects.get().stream_id == broken.pk


def test_a_policy_that_can_measure_none_says_of_each_why(world):
    policy("standard", resolution())
    requests = [make_request(world.item, world.requester) for _ in range(2)]
    policy("standard", resolution(calendar="nowhere", durations=BUSINESS))
    row = carried(world, rebase_to_policy("standard"))
    why = "calendar: Target “fix” counts business time and needs its calendar."
    assert row.reasons == [{"number": one.number, "reason": why} for one in requests]
    assert (row.moved, row.changed, row.failed) == (0, 0, 2)
    assert {one.detail for one in Incident.objects.all()} == {
        f"The clocks could not be measured by the new version: {why}"
    }


def test_a_timer_that_cannot_be_measured_leaves_its_request_out_and_no_other(world):
    make_calendar()
    sound, broken = (submit_waiting(world, key) for key in ("one", "two"))
    StepVisit.objects.filter(run__stream_id=broken.pk).update(step="gone")
    shorter_hours()
    shown = preview(rebase_to_calendar("office"))
    assert (shown.timers, [one.number for one in shown.unmeasured]) == (1, [broken.number])
    assert sound.number != broken.number


def submit_waiting(world, key: str) -> Request:
    return submit(world, {**waiting(), "workflow": key})


def test_who_holds_a_request_is_told_to_a_policy_that_first_asks_and_the_look_knows(world, django_assert_num_queries):
    make_calendar("night")
    Team.objects.filter(key="it").update(calendar="night")
    policy("standard", resolution())
    for _ in range(2):
        record_decision(make_approval(world), verdict="approve", actor=world.manager)
    newest = policy("standard", resolution(team="it"))
    rebase = Rebase(policy=newest)
    assert preview(rebase).moved == ()
    with django_assert_num_queries(4):  # requests twice, clocks, and the team's calendar once
        preview(rebase)
    apply(rebase, actor=None)
    assert set(SlaClock.objects.values_list("status", flat=True)) == {"running"}


def make_approval(world) -> Approval:
    return Approval.objects.get(stream_id=make_request(world.item, world.requester).pk)
