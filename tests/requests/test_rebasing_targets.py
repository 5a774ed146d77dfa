"""Targets that a policy newly has: by a retroactive rebase their clocks begin at once, as the events tell them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from apps.approvals.models import Approval
from apps.core import clock
from apps.outbox.models import Event
from apps.requests.models import Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import hold_request, resume_request
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.rebasing_look import Moved, preview
from apps.requests.services.rebasing_work import ask_rebase, rebase_to_policy
from apps.sla.models import SlaClock
from tests.factories import make_request
from tests.requests.test_clocks import explained, kinds, plain, policy, resolution, stored_equals_replay

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
HOUR = timedelta(hours=1)


def answer(**more: object) -> dict:
    return {"id": "answer", "metric": "response", "durations": plain(7200), **more}


def approve(request: Request, world) -> None:
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)


def told_by(request: Request, rebase: Rebase, *, after: timedelta) -> list[tuple[str, str]]:
    """What the rebase tells of clocks, `after` the submission."""
    with time_machine.travel(request.submitted_at + after, tick=False):
        assert apply(rebase, actor=None) == 1
        stored_equals_replay(request)
    rebased = Event.objects.get(stream_id=request.pk, type="sla.rebased").seq
    later = Event.objects.filter(stream_id=request.pk, seq__gt=rebased).order_by("seq")
    return [(kind, data.get("target")) for kind, data in later.values_list("type", "data")]


@pytest.fixture
def request_(world) -> Request:
    """One whose policy measures its resolution only."""
    policy("standard", resolution())
    return make_request(world.item, world.requester)


def test_its_clock_begins_since_when_it_would_have_run_and_tells_what_it_has_behind_it(world, request_):
    newest = policy("standard", resolution(), answer(warn_at=[40, 80]))
    told = told_by(request_, Rebase(policy=newest, retroactive=True), after=HOUR)
    assert told == [("sla.started", "answer"), ("sla.warned", "answer")]
    row = SlaClock.objects.get(stream_id=request_.pk, target="answer")
    assert (row.status, row.policy, row.started_at, row.warned) == ("running", newest, request_.submitted_at, [40])
    assert row.due_at == request_.submitted_at + 2 * HOUR
    assert f"answer (response): time is running, due {row.due_at:%a %Y-%m-%d %H:%M:%S}" in explained(request_.number)


def test_what_it_would_have_missed_is_breached_and_escalates_once(world, request_):
    newest = policy("standard", resolution(), answer(escalations=[{"id": "up", "at": 100, "do": "raise_priority"}]))
    told = told_by(request_, Rebase(policy=newest, retroactive=True), after=3 * HOUR)
    assert told == [("sla.started", "answer"), ("sla.breached", "answer"), ("sla.escalated", "answer")]
    row = SlaClock.objects.get(stream_id=request_.pk, target="answer")
    assert (row.status, row.breached_at, row.stopped_at) == ("breached", request_.submitted_at + 2 * HOUR, None)
    assert apply(Rebase(policy=newest, retroactive=True), actor=None) == 0


def test_what_was_done_in_time_is_met_and_warns_of_nothing(world, request_):
    approve(request_, world)
    answered = Event.objects.get(type="request.first_response").at
    newest = policy("standard", resolution(), answer(warn_at=[1], durations=plain(60)))
    told = told_by(request_, Rebase(policy=newest, retroactive=True), after=3 * HOUR)
    assert told == [("sla.started", "answer"), ("sla.met", "answer")]
    row = SlaClock.objects.get(stream_id=request_.pk, target="answer")
    assert (row.status, row.stopped_at, row.next_check_at) == ("met", answered, None)
    assert "answer (response): done in time" in explained(request_.number)


def test_from_now_on_it_starts_with_the_next_event_that_starts_it(world, request_):
    held = {"id": "held", "metric": "resolution", "durations": plain(60), "on": {"start": [{"event": "request.held"}]}}
    newest = policy("standard", resolution(), answer(), held)
    assert told_by(request_, Rebase(policy=newest), after=HOUR) == []
    with time_machine.travel(request_.submitted_at + 2 * HOUR, tick=False):
        hold_request(request_, reason="wait", actor=world.administrator)
        stored_equals_replay(request_)
    assert list(SlaClock.objects.order_by("id").values_list("target", flat=True)) == ["fix", "held"]


def test_the_look_shows_the_clocks_that_would_begin_and_moves_nothing(world, request_):
    newest = policy("standard", resolution(), answer())
    rebase = Rebase(policy=newest, retroactive=True)
    shown = preview(rebase, now=request_.submitted_at + 3 * HOUR)
    due = request_.submitted_at + 2 * HOUR
    assert (shown.clocks, shown.moved, shown.breached) == (1, (), 1)
    assert shown.begun == (
        Moved(
            number=request_.number,
            target="answer",
            name="first response",
            status=None,
            due_at=None,
            new_status="breached",
            new_due_at=due,
        ),
    )
    assert preview(Rebase(policy=newest), now=clock.now()).begun == ()
    row = ask_rebase(rebase_to_policy("standard", retroactive=True), actor=world.administrator)
    assert (row.begun, row.moved, [one["status"] for one in row.shown]) == (1, 0, [None])
    assert SlaClock.objects.get().target == "fix"


def test_a_target_that_comes_back_begins_again_and_one_that_was_met_is_left_alone(world):
    policy("standard", resolution(), answer())
    request = make_request(world.item, world.requester)
    approve(request, world)
    apply(
        Rebase(policy=policy("standard", {"id": "other", "metric": "resolution", "durations": plain(60)})), actor=None
    )
    apply(Rebase(policy=policy("standard", resolution(), answer(durations=plain(1))), retroactive=True), actor=None)
    stored_equals_replay(request)
    rows = SlaClock.objects.filter(stream_id=request.pk).order_by("id")
    assert list(rows.values_list("target", "status")) == [
        ("fix", "void"), ("answer", "met"), ("fix", "running"),
    ]  # fmt: skip
    assert rows[2].started_at == rows[0].started_at == request.submitted_at
    assert kinds(request).count("sla.met") == 1


@pytest.mark.parametrize("retroactive", [False, True])
def test_a_target_that_becomes_a_teams_own_or_the_services_is_so_in_its_clock(world, request_, retroactive):
    for own, team in (({"team": "it"}, "it"), ({}, "")):
        newest = policy("standard", resolution(**own), answer(team="hr"))
        apply(Rebase(policy=newest, retroactive=retroactive), actor=None)
        stored_equals_replay(request_)
        assert SlaClock.objects.get(target="fix").team == team
    assert list(SlaClock.objects.filter(target="answer").values_list("team", flat=True)) == ["hr"] * retroactive


def test_a_live_clock_that_by_the_new_rules_was_met_says_so_and_warns_of_nothing(world):
    policy("standard", resolution(), answer(on={"stop": [{"event": "request.completed"}]}))
    request = make_request(world.item, world.requester)
    approve(request, world)
    newest = policy("standard", resolution(), answer(warn_at=[1], durations=plain(60)))
    assert told_by(request, Rebase(policy=newest, retroactive=True), after=3 * HOUR) == [("sla.met", "answer")]
    row = SlaClock.objects.get(stream_id=request.pk, target="answer")
    assert (row.status, row.policy) == ("met", newest)
    assert "answer (response): done in time" in explained(request.number)


def test_a_target_that_is_measured_once_is_not_begun_again_by_a_later_event(world, request_):
    held = {"start": [{"event": "request.held"}], "pause": [], "stop": [{"event": "request.resumed"}]}
    once = {"id": "once", "metric": "response", "durations": plain(60), "on": held}
    hold_request(request_, reason="wait", actor=world.administrator)
    resume_request(request_, actor=world.administrator)
    newest = policy("standard", resolution(), once)
    assert told_by(request_, Rebase(policy=newest, retroactive=True), after=HOUR) == [
        ("sla.started", "once"), ("sla.met", "once"),
    ]  # fmt: skip
    with time_machine.travel(request_.submitted_at + 2 * HOUR, tick=False):
        hold_request(request_, reason="wait", actor=world.administrator)
        stored_equals_replay(request_)
    assert SlaClock.objects.filter(target="once").count() == 1
