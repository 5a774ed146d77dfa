"""A rebase as work: looked at, confirmed by an administrator, applied once by a worker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.errors import Conflict, NotPermitted, NotVisible, TransitionNotAllowed
from apps.outbox.models import Incident
from apps.requests.models import Rebasing
from apps.requests.services import rebasing_work, rebasing_worker
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.rebasing import affected, apply_to
from apps.requests.services.rebasing_work import (
    ask_rebase,
    confirm_rebase,
    rebase_to_policy,
)
from apps.requests.services.rebasing_worker import run_rebasings
from tests.factories import make_person, make_request, refusal
from tests.requests.flows import fresh
from tests.requests.rebases import carried, rebased
from tests.requests.test_clocks import plain, policy, resolution, stored_equals_replay

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


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
        patch.setattr(rebasing_worker, "apply_to", dies_at_the_second)
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

    row = rebasing_worker._claim()
    monkeypatch.setattr(rebasing_worker, "apply_to", overtaken)
    rebasing_worker._change(row, rebasing_worker.rebase_of(row))
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

    monkeypatch.setattr(rebasing_worker, "apply_to", fails_once)
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
    auditor = make_person("otto", roles=["auditor"])
    with refusal(NotVisible):
        ask_rebase(rebase, actor=world.lead)
    row = ask_rebase(rebase, actor=world.administrator)
    for actor, error in ((world.lead, NotVisible), (auditor, NotPermitted)):
        with refusal(error):
            confirm_rebase(row, actor=actor)
    assert Rebasing.objects.get().status == "looked_at"
