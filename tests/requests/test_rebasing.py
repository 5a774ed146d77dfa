"""What a rebase measures, and which versions it refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from apps.core import clock
from apps.core.errors import InvalidInput
from apps.outbox.models import Event
from apps.requests.services.rebasing import Rebase, affected, apply, require_sound
from apps.requests.services.rebasing_look import preview
from apps.requests.services.rebasing_work import (
    rebase_to_calendar,
    rebase_to_policy,
)
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock
from tests.factories import make_calendar, make_request, refusal
from tests.requests.flows import fresh, make_flow, publish
from tests.requests.rebases import BUSINESS, carried, shorter_hours, waiting
from tests.requests.test_children import parent_document
from tests.requests.test_clocks import kinds, plain, policy, resolution, stored_equals_replay

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_applying_twice_changes_nothing_more(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    shorter = policy("standard", resolution(durations=plain(600), warn_at=[50]))
    assert apply(Rebase(policy=shorter), actor=None) == 1
    before = (list(SlaClock.objects.values()), list(Event.objects.values_list("pk", flat=True)))
    assert apply(Rebase(policy=shorter), actor=None) == 0
    assert (list(SlaClock.objects.values()), list(Event.objects.values_list("pk", flat=True))) == before
    stored_equals_replay(request)


def test_a_policy_may_name_a_calendar_that_the_request_is_not_pinned_to(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    office = make_calendar()
    policy("standard", resolution(calendar="office", durations=BUSINESS))
    carried(world, rebase_to_policy("standard"))
    row = SlaClock.objects.get(stream_id=request.pk)
    assert (row.calendar, fresh(request).pins["calendars"]) == (office, {"office": office.pk})
    stored_equals_replay(request)


@pytest.mark.parametrize("retroactive", [False, True])
def test_a_calendar_that_a_child_has_pinned_stays_where_a_new_policy_names_it(world, retroactive):
    """Clocks have heard nothing of what a child pins, so the rebase tells them."""
    old = make_calendar("night")
    publish({**waiting("night"), "workflow": "child"})
    request = make_request(make_flow(parent_document(), sla_key="standard"), world.requester)
    assert fresh(request).pins["calendars"] == {"night": old.pk}
    shorter_hours("night")
    policy("standard", {**resolution(calendar="night", durations=BUSINESS), "id": "resolution"})
    carried(world, rebase_to_policy("standard", retroactive=retroactive))
    assert fresh(request).pins["calendars"] == {"night": old.pk}
    assert SlaClock.objects.get(stream_id=request.pk, target="resolution").calendar == old
    stored_equals_replay(request)


@pytest.mark.parametrize("key", ["2026", "0", "1_0"])
def test_a_calendar_whose_key_reads_as_a_number_is_found(world, key):
    old = make_calendar(key)
    policy("standard", resolution(calendar=key, durations=BUSINESS))
    request = make_request(world.item, world.requester)
    new = shorter_hours(key)
    assert list(affected(Rebase(replaces={old.pk: new.pk}))) == [request]
    assert list(affected(Rebase(replaces={new.pk: old.pk}))) == []


def test_what_was_counted_by_the_former_policy_stays_counted_from_now_on(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    office = policy("standard", resolution(durations=plain(7200)))
    run_sweeps(clock.now())
    carried(world, rebase_to_policy("standard"))
    row = SlaClock.objects.get(stream_id=request.pk)
    assert (row.policy, row.due_at) == (office, request.submitted_at + timedelta(seconds=7200))
    stored_equals_replay(request)


@pytest.mark.parametrize("retroactive", [False, True])
def test_a_target_that_the_policy_does_not_have_any_more_is_void_and_still_explained(world, retroactive):
    former = policy("standard", resolution(), {"id": "answer", "metric": "response", "durations": plain(3600)})
    request = make_request(world.item, world.requester)
    policy("standard", resolution())
    carried(world, rebase_to_policy("standard", retroactive=retroactive))
    row = SlaClock.objects.get(stream_id=request.pk, target="answer")
    assert (row.status, row.policy) == ("void", former)
    assert kinds(request)[-2:] == ["sla.rebased", "sla.voided"]
    stored_equals_replay(request)


def test_an_escalation_that_the_new_rules_have_behind_them_happens(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    policy("standard", resolution(durations=plain(1), escalations=[{"id": "up", "at": 100, "do": "raise_priority"}]))
    later = clock.now() + timedelta(seconds=5)
    moved = preview(rebase_to_policy("standard", retroactive=True), now=later).moved
    assert [one.new_status for one in moved] == ["breached"]
    with time_machine.travel(later, tick=False):
        apply(rebase_to_policy("standard", retroactive=True), actor=None)
    assert kinds(request)[-3:] == ["sla.rebased", "sla.breached", "sla.escalated"]


def test_a_clock_that_no_deadline_has_reached_yet_is_pinned_to_the_new_calendar_too(world):
    """Nothing counts by it at present, but what starts later would."""
    old = make_calendar()
    policy("standard", {"id": "w", "metric": "stage", "of": "work", "calendar": "office", "durations": BUSINESS})
    request = make_request(world.item, world.requester)
    assert not SlaClock.objects.filter(stream_id=request.pk).exists()
    new = shorter_hours()
    assert fresh(request).pins["calendars"] == {"office": old.pk}
    carried(world, rebase_to_calendar("office"))
    assert fresh(request).pins["calendars"] == {"office": new.pk}


# ------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("key", "n", "field"),
    [
        ("nowhere", None, "policy"), ("", None, "policy"), (None, None, "policy"), (7, None, "policy"),
        ("standard", 1, "n"), ("standard", 99, "n"), ("standard", -1, "n"), ("standard", 0, "n"),
        ("standard", 10**30, "n"), ("standard", "2", "n"), ("alone", None, "policy"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_the_newest_of_a_key_is_refused_by_field(world, key, n, field):
    policy("standard", resolution())
    policy("alone", resolution())
    with refusal(InvalidInput) as refused:
        rebase_to_policy(key, n)
    assert list(refused.value.errors) == [field]


def test_calendars_that_do_not_follow_each_other_are_refused(world):
    old, other = make_calendar(), make_calendar("elsewhere")
    new = shorter_hours()
    wrong = {
        "replace itself": {new.pk: new.pk},
        "another calendar": {old.pk: other.pk},
        "not the newest": {new.pk: old.pk},
        "no calendar version 999999": {999999: new.pk},
    }
    for said, replaces in wrong.items():
        with refusal(InvalidInput, match=said):
            require_sound(Rebase(replaces=replaces))
    with refusal(InvalidInput, match="nothing to replace"):
        require_sound(Rebase())
    with refusal(InvalidInput, match="the only version"):
        rebase_to_calendar("elsewhere")
