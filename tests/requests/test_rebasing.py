"""Requests carried over to a new version of an SLA policy or a calendar: looked at, confirmed, applied once."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from apps.approvals.models import Approval
from apps.calendars.business_time import add
from apps.calendars.models import CalendarVersion
from apps.calendars.selectors import calendar_of
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import Rebasing, Request
from apps.requests.services import rebasing_work
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, hold_request, resume_request
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, affected, apply, apply_to, preview, require_sound
from apps.requests.services.rebasing_work import (
    ask_rebase,
    confirm_rebase,
    rebase_to_calendar,
    rebase_to_policy,
    run_rebasings,
)
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock
from apps.workflows.models import Timer
from tests.factories import make_calendar, make_request, refusal
from tests.factories.approvals import make_approval_item
from tests.requests.flows import fresh, submit
from tests.requests.test_clocks import LEVELS, kinds, plain, policy, resolution, stored_equals_replay

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
NIGHT = {day: ["20:00-22:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
BUSINESS = {priority: {"business_seconds": 36_000} for priority in LEVELS}


def shorter_hours(key: str = "office", **more: object) -> CalendarVersion:
    return CalendarVersion.freeze(key, {"time_zone": "UTC", "week": NIGHT, "holidays": {}, **more})


def rebased(request: Request) -> list[dict]:
    return list(
        Event.objects.filter(stream_id=request.pk, type="sla.rebased").order_by("seq").values_list("data", flat=True)
    )


def carried(world, rebase: Rebase) -> Rebasing:
    row = confirm_rebase(ask_rebase(rebase, actor=world.administrator), actor=world.administrator)
    assert run_rebasings() == 1
    row.refresh_from_db()
    return row


# ------------------------------------------------------------------------------------ looked at, confirmed, applied


def test_a_new_policy_is_looked_at_confirmed_and_applied_by_a_worker_once(world):
    policy("standard", resolution())
    requests = [make_request(world.item, world.requester) for _ in range(3)]
    shorter = policy("standard", resolution(durations=plain(60)))
    row = ask_rebase(rebase_to_policy("standard"), actor=world.administrator)
    assert (row.status, row.total, row.seen, row.clocks, row.moved) == ("looked_at", 3, 3, 3, 3)
    assert row.shown[0]["number"] == requests[0].number
    assert [rebased(one) for one in requests] == [[], [], []]
    confirm_rebase(row, actor=world.administrator)
    confirm_rebase(row, actor=world.administrator)
    assert (run_rebasings(), run_rebasings()) == (1, 0)
    row.refresh_from_db()
    assert (row.status, row.seen, row.changed, row.failed) == ("done", 3, 3, 0)
    for request in requests:
        assert fresh(request).pins["sla"] == shorter.pk
        assert len(rebased(request)) == 1
        stored_equals_replay(request)
    assert not affected(rebase_to_policy("standard")).exists()


def test_applying_twice_changes_nothing_more(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    shorter = policy("standard", resolution(durations=plain(600), warn_at=[50]))
    assert apply(Rebase(policy=shorter), actor=None) == 1
    before = (list(SlaClock.objects.values()), list(Event.objects.values_list("pk", flat=True)))
    assert apply(Rebase(policy=shorter), actor=None) == 0
    assert (list(SlaClock.objects.values()), list(Event.objects.values_list("pk", flat=True))) == before
    stored_equals_replay(request)


def test_a_request_that_ended_meanwhile_is_left_alone(world):
    policy("standard", resolution())
    one, other = (make_request(world.item, world.requester) for _ in range(2))
    policy("standard", resolution(durations=plain(60)))
    row = confirm_rebase(ask_rebase(rebase_to_policy("standard"), actor=world.administrator), actor=world.administrator)
    cancel_request(one, actor=world.requester)
    run_rebasings()
    row.refresh_from_db()
    assert (row.changed, rebased(one), len(rebased(other))) == (1, [], 1)


def test_a_worker_killed_half_way_leaves_the_rest_to_the_next_one(world, monkeypatch):
    policy("standard", resolution())
    requests = [make_request(world.item, world.requester) for _ in range(3)]
    policy("standard", resolution(durations=plain(60)))
    row = confirm_rebase(ask_rebase(rebase_to_policy("standard"), actor=world.administrator), actor=world.administrator)

    def dies_at_the_second(pk: int, *args: object, **more: object) -> bool:
        if pk == requests[1].pk:
            raise KeyboardInterrupt
        return apply_to(pk, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(rebasing_work, "apply_to", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            run_rebasings()
    row.refresh_from_db()
    assert (row.status, row.seen, row.changed) == ("changing", 1, 1)
    assert run_rebasings() == 0, "its lease has not ended"
    Rebasing.objects.update(claimed_until=clock.now() - timedelta(seconds=1))
    assert run_rebasings() == 1
    row.refresh_from_db()
    assert (row.status, row.seen, row.changed) == ("done", 3, 3)
    assert [len(rebased(one)) for one in requests] == [1, 1, 1]


def test_a_worker_that_lost_its_place_rolls_its_request_back(world, monkeypatch):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    policy("standard", resolution(durations=plain(60)))
    confirm_rebase(ask_rebase(rebase_to_policy("standard"), actor=world.administrator), actor=world.administrator)

    def overtaken(*args: object, **more: object) -> bool:
        changed = apply_to(*args, **more)
        Rebasing.objects.update(claim=9)
        return changed

    row = rebasing_work._claim()
    monkeypatch.setattr(rebasing_work, "apply_to", overtaken)
    rebasing_work._change(row, rebasing_work.rebase_of(row))
    assert rebased(request) == []
    assert Rebasing.objects.get().changed == 0


def test_a_request_that_cannot_be_carried_over_calls_an_operator_and_the_others_go_on(world, monkeypatch):
    policy("standard", resolution())
    broken, sound = (make_request(world.item, world.requester) for _ in range(2))
    policy("standard", resolution(durations=plain(60)))

    def fails_once(pk: int, *args: object, **more: object) -> bool:
        changed = apply_to(pk, *args, **more)
        if pk == broken.pk:
            raise ValueError("no")
        return changed

    monkeypatch.setattr(rebasing_work, "apply_to", fails_once)
    row = carried(world, rebase_to_policy("standard"))
    assert (row.status, row.changed, row.failed) == ("done", 1, 1)
    assert (rebased(broken), len(rebased(sound))) == ([], 1)
    assert (Incident.objects.get().kind, Incident.objects.get().stream_id) == ("rebase", broken.pk)


def test_many_requests_are_looked_at_by_the_worker_with_progress(world, monkeypatch):
    monkeypatch.setattr(rebasing_work, "AT_ONCE", 1)
    policy("standard", resolution())
    for _ in range(3):
        make_request(world.item, world.requester)
    policy("standard", resolution(durations=plain(60)))
    row = ask_rebase(rebase_to_policy("standard"), actor=world.administrator)
    assert (row.status, row.total, row.seen) == ("looking", 3, 0)
    with refusal(TransitionNotAllowed):
        confirm_rebase(row, actor=world.administrator)
    assert run_rebasings() == 1
    row.refresh_from_db()
    assert (row.status, row.seen, row.moved, len(row.shown)) == ("looked_at", 3, 3, 3)


def test_another_look_withdraws_an_unfinished_one_and_a_change_keeps_others_out(world, monkeypatch):
    monkeypatch.setattr(rebasing_work, "AT_ONCE", -1)
    policy("standard", resolution())
    policy("standard", resolution(durations=plain(60)))
    first = ask_rebase(rebase_to_policy("standard"), actor=world.administrator)
    second = ask_rebase(rebase_to_policy("standard", retroactive=True), actor=world.administrator)
    first.refresh_from_db()
    assert (first.status, second.status) == ("withdrawn", "looking")
    run_rebasings()
    confirm_rebase(second, actor=world.administrator)
    with refusal(Conflict, match="already"):
        ask_rebase(rebase_to_policy("standard"), actor=world.administrator)


def test_what_was_looked_at_is_not_applied_once_there_is_a_newer_version(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    policy("standard", resolution(durations=plain(60)))
    row = ask_rebase(rebase_to_policy("standard"), actor=world.administrator)
    policy("standard", resolution(durations=plain(90)))
    with refusal(Conflict, match="newer"):
        confirm_rebase(row, actor=world.administrator)
    assert rebased(request) == []


def test_only_administrators_carry_requests_over(world):
    policy("standard", resolution())
    policy("standard", resolution(durations=plain(60)))
    rebase = rebase_to_policy("standard")
    with refusal(NotPermitted):
        ask_rebase(rebase, actor=world.lead)
    row = ask_rebase(rebase, actor=world.administrator)
    with refusal(NotPermitted):
        confirm_rebase(row, actor=world.lead)
    assert Rebasing.objects.get().status == "looked_at"


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


# ------------------------------------------------------------------------------------ what is measured


def test_a_policy_may_name_a_calendar_that_the_request_is_not_pinned_to(world):
    policy("standard", resolution())
    request = make_request(world.item, world.requester)
    office = make_calendar()
    policy("standard", resolution(calendar="office", durations=BUSINESS))
    carried(world, rebase_to_policy("standard"))
    row = SlaClock.objects.get(stream_id=request.pk)
    assert (row.calendar, fresh(request).pins["calendars"]) == (office, {"office": office.pk})
    stored_equals_replay(request)


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


# ------------------------------------------------------------------------------------ timers


def waiting(calendar: str = "office", seconds: int = 36_000) -> dict:
    return {
        "format": 1,
        "workflow": "waiting",
        "name": "Waiting",
        "steps": [
            {"id": "start", "kind": "start"},
            {"id": "rest", "kind": "wait", "name": "Rest", "for": {"business_seconds": seconds, "calendar": calendar}},
            {"id": "done", "kind": "end", "outcome": "completed"},
        ],
        "transitions": [{"from": "start", "to": "rest"}, {"from": "rest", "to": "done"}],
    }


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


# ------------------------------------------------------------------------------------ statements


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


# ------------------------------------------------------------------------------------ random histories


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_before_and_after_a_rebase_stored_clocks_are_what_a_replay_reads(world, seed):
    chance = random.Random(seed)
    make_calendar()
    policy(
        "standard",
        {"id": "answer", "metric": "response", "durations": plain(3600), "warn_at": [50]},
        resolution(calendar="office", durations=BUSINESS, warn_at=[10, 80]),
        {"id": "ola", "metric": "resolution", "team": "it", "durations": plain(9000)},
    )
    request = make_request(world.item, world.requester)
    now = clock.now()
    moves = moves_of(world, request, chance)
    for _ in range(9):
        now += timedelta(minutes=chance.randrange(1, 300))
        with time_machine.travel(now, tick=False):
            chance.choice(moves)()
            run_sweeps(now)
        with time_machine.travel(now, tick=False):
            stored_equals_replay(request)


def moves_of(world, request: Request, chance: random.Random) -> list[Callable[[], object]]:
    def tried(act: Callable[[], object]) -> Callable[[], object]:
        def attempt() -> None:
            with suppress(Conflict, InvalidInput, Approval.DoesNotExist), transaction.atomic():
                act()

        return attempt

    def new_policy() -> None:
        version = policy(
            "standard",
            resolution(
                calendar="office",
                durations={p: {"business_seconds": chance.randrange(600, 90_000)} for p in LEVELS},
                warn_at=[chance.randrange(1, 99)],
            ),
            *([{"id": "ola", "metric": "resolution", "team": "it", "durations": plain(9000)}] * chance.randrange(2)),
        )
        apply(Rebase(policy=version, retroactive=chance.random() < 0.5), actor=None)

    def new_calendar() -> None:
        day = (clock.now() + timedelta(days=chance.randrange(-2, 3))).date().isoformat()
        shorter_hours(holidays={day: str(chance.random())})
        apply(rebase_to_calendar("office", retroactive=chance.random() < 0.5), actor=None)

    def level() -> str:
        return chance.choice(("high", "medium", "low"))

    boss = world.administrator
    ways = (
        lambda: hold_request(request, reason="wait", actor=boss),
        lambda: resume_request(request, actor=boss),
        lambda: record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager),
        lambda: set_priority(request, impact=level(), urgency=level(), reason="so", actor=boss),
    )
    return [*map(tried, ways), new_policy, new_calendar, new_policy, new_calendar]
