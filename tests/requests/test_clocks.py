"""The clocks of live requests: what is stored equals what a replay of the events says, whatever happens."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.approvals.models import Approval
from apps.calendars.models import CalendarVersion
from apps.core import clock
from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.outbox.relay import run_relay
from apps.requests.models import Request, SlaRule
from apps.requests.selectors import tasks_of
from apps.requests.selectors.clocks import explained_clocks
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import Wish, cancel_request, create_request, hold_request, resume_request
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.rebasing_look import preview
from apps.requests.services.work import claim_task, complete_task
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.selectors import target_of
from tests.factories import make_calendar, make_person, make_request, make_team, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
HOUR = timedelta(hours=1)
LEVELS = ("critical", "high", "medium", "low")


def plain(seconds: int) -> dict:
    return {priority: {"seconds": seconds} for priority in LEVELS}


def policy(key: str, *targets: dict, **more: object) -> SlaPolicyVersion:
    return SlaPolicyVersion.freeze(key, {"targets": list(targets), **more})


def resolution(**more: object) -> dict:
    return {"id": "fix", "metric": "resolution", "durations": plain(36_000), **more}


def stored_equals_replay(request: Request) -> None:
    for one in explained_clocks(request):
        row, reading = one.clock, one.reading.state
        stored = (
            row.status,
            row.due_at,
            row.next_check_at,
            row.elapsed,
            row.running_since,
            row.breached_at,
            row.reached,
            row.started_at,
            row.allowed,
        )
        replayed = (
            reading.status, reading.due_at, reading.next_check_at, reading.elapsed, reading.running_since,
            reading.breached_at, reading.reached, reading.started_at, reading.allowed,
        )  # fmt: skip
        assert stored == replayed, row.target
        assert (row.metric, row.team) == (target_of(row).metric, target_of(row).team)
        assert (row.warned, row.paused_by) == (list(reading.warned), list(reading.paused_by))


def kinds(request: Request) -> list[str]:
    return list(Event.objects.filter(stream_id=request.pk).order_by("seq").values_list("type", flat=True))


def test_every_move_of_a_request_leaves_its_clocks_as_a_replay_reads_them(world):
    make_calendar()
    policy(
        "standard",
        {"id": "answer", "metric": "response", "durations": plain(3600), "warn_at": [50]},
        resolution(calendar="office", durations={p: {"business_seconds": 36_000} for p in LEVELS}),
        {"id": "work", "metric": "stage", "of": "work", "durations": plain(7200)},
        {"id": "line", "metric": "approval", "of": "approve", "durations": plain(7200)},
        {"id": "ola", "metric": "resolution", "team": "it", "durations": plain(9000)},
    )
    request = make_request(world.item, world.requester)
    moves = (
        lambda: hold_request(request, reason="wait", actor=world.administrator),
        lambda: resume_request(request, actor=world.administrator),
        lambda: record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager),
        lambda: claim_task(tasks_of(request).get(), actor=world.worker),
        lambda: set_priority(request, impact="high", urgency="high", reason="all stop", actor=world.worker),
        lambda: complete_task(tasks_of(request).get(), outcome="done", actor=world.worker),
    )
    stored_equals_replay(request)
    for move in moves:
        move()
        stored_equals_replay(request)
    states = dict(SlaClock.objects.filter(stream_id=request.pk).values_list("target", "status"))
    assert states == {"answer": "met", "fix": "met", "work": "met", "line": "met", "ola": "met"}
    ola = SlaClock.objects.get(stream_id=request.pk, target="ola")
    assert 0 < ola.elapsed < SlaClock.objects.get(stream_id=request.pk, target="answer").allowed


def test_a_cancelled_request_leaves_its_clocks_void(world):
    request = make_request(world.item, world.requester)
    cancel_request(request, actor=world.requester)
    stored_equals_replay(request)
    assert set(SlaClock.objects.filter(stream_id=request.pk).values_list("status", flat=True)) == {"void"}


# ------------------------------------------------------------------------------------ which policy


def test_the_first_rule_that_holds_names_the_policy_and_the_reason_is_kept(world):
    policy("dear", resolution(id="dear"))
    rules = (("small", "request.data.amount < 10.0"), ("large", "request.data.amount > 1000.0"))
    for order, (name, guard) in enumerate(rules, 1):
        SlaRule.objects.create(item=world.item, order=order, name=name, guard=guard, policy_key="dear")
    amount = {"amount": "2000.00", "currency": "EUR"}
    request = make_request(world.item, world.requester, data={"reason": "x", "amount": amount})
    assert request.selection["sla"] == {"policy": "dear", "rule": "large", "passed_over": ["small"]}
    assert list(SlaClock.objects.filter(stream_id=request.pk).values_list("target", flat=True)) == ["dear"]
    cheap = make_request(world.item, world.requester, data={"reason": "x", "amount": {**amount, "amount": "50.00"}})
    assert cheap.selection["sla"] == {"policy": "standard", "rule": "", "passed_over": ["small", "large"]}


# ------------------------------------------------------------------------------------ priority


def test_a_higher_priority_moves_the_due_time_and_says_so(world):
    durations = {**plain(36_000), "critical": {"seconds": 7200}}
    policy("standard", resolution(durations=durations))
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    set_priority(request, impact="high", urgency="high", reason="all stop", actor=world.lead)
    row = SlaClock.objects.get(stream_id=request.pk)
    assert (row.priority, row.allowed, row.due_at) == ("critical", 7200, request.submitted_at + 2 * HOUR)
    assert "request.priority_changed" in kinds(request)


def test_only_those_who_work_on_a_request_change_its_priority(world):
    request = make_request(world.item, world.requester)
    for person in (world.requester, world.stranger):
        with refusal(NotPermitted):
            set_priority(request, impact="high", urgency="high", reason="me first", actor=person)
    with refusal(InvalidInput, match="impact"):
        set_priority(request, impact="vast", urgency="high", reason="x", actor=world.administrator)
    with refusal(InvalidInput, match="reason"):
        set_priority(request, impact="high", urgency="high", reason=" ", actor=world.administrator)
    cancel_request(request, actor=world.requester)
    with refusal(TransitionNotAllowed):
        set_priority(request, impact="high", urgency="high", reason="late", actor=world.administrator)


# ------------------------------------------------------------------------------------ escalations


def escalating(world, *escalations: dict) -> Request:
    policy("standard", resolution(escalations=list(escalations)))
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    return request


def overdue(request: Request, hours: float) -> Request:
    run_sweeps(request.submitted_at + timedelta(hours=hours))
    run_relay()
    return Request.objects.get(pk=request.pk)


@pytest.mark.parametrize(
    ("escalation", "events"),
    [
        ({"do": "notify", "to": [{"lead": True}], "text": "Look here"}, ["notice.sent"]),
        ({"do": "reassign", "to": [{"person": "senior"}]}, ["request.assigned"]),
        ({"do": "raise_priority"}, ["request.priority_changed"]),
        ({"do": "run_action", "action": "comment", "with": {"text": "Late", "internal": True}}, ["comment.added"]),
    ],
)
def test_an_escalation_is_carried_out_once(world, escalation, events):
    request = escalating(world, {"id": "one", "at": 50, **escalation})
    before = kinds(request)
    fresh = overdue(request, 6)
    overdue(request, 7)
    told = kinds(request)[len(before) :]
    assert [kind for kind in told if not kind.startswith("sla.")] == events
    assert told.count("sla.escalated") == 1
    if escalation["do"] == "reassign":
        assert fresh.assignee == world.senior
    if escalation["do"] == "raise_priority":
        assert (fresh.urgency, fresh.priority) == ("high", "high")
    stored_equals_replay(fresh)


def test_an_escalation_that_names_nobody_is_an_incident_and_changes_nothing(world):
    request = escalating(world, {"id": "gone", "at": 10, "do": "reassign", "to": [{"person": "nobody"}]})
    assert overdue(request, 2).assignee_id == request.assignee_id
    assert Incident.objects.get(stream_id=request.pk).kind == "escalation"


@pytest.mark.parametrize(
    "escalation",
    [
        {"do": "notify", "to": [{"lead": True}]},
        {"do": "notify", "to": [{"person": "lead"}]},
        {"do": "reassign", "to": [{"lead": True}]},
        {"do": "reassign", "to": [{"person": "lead"}]},
        {"do": "reassign", "to": [{"role": "abandoned"}]},
        {"do": "reassign", "to": [{"team": "empty"}]},
        {"do": "run_action", "action": "set_fields", "with": {"fields": {"amount": "many"}}},
    ],
)
def test_what_a_policy_names_may_go_later_an_operator_is_called_and_nothing_else_moves(world, escalation):
    make_person("gone", roles=["abandoned"], is_active=False)
    make_team("empty", make_person("left", is_active=False))
    request = Request.objects.get(pk=escalating(world, {"id": "late", "at": 10, **escalation}).pk)
    User.objects.filter(username="lead").update(is_active=False)
    fresh = overdue(request, 2)
    (incident,) = Incident.objects.filter(stream_id=request.pk)
    assert incident.kind == "escalation"
    assert incident.detail.startswith("The escalation late of the SLA target fix could not be carried out: ")
    assert (fresh.assignee_id, fresh.team_id, fresh.data) == (request.assignee_id, request.team_id, request.data)
    assert "notice.sent" not in kinds(request)


def test_whoever_has_a_calendar_that_went_is_measured_by_the_one_of_the_target(world):
    make_calendar()
    durations = {p: {"business_seconds": 3600} for p in LEVELS}
    policy("standard", resolution(calendar={"of": "requester", "else": "office"}, durations=durations))
    User.objects.filter(pk=world.requester.pk).update(calendar="moon")
    world.requester.refresh_from_db()
    request = make_request(world.item, world.requester)
    assert SlaClock.objects.get(stream_id=request.pk).calendar.key == "office"


def test_some_time_after_the_breach_is_counted_from_it(world):
    request = escalating(world, {"id": "boss", "after_breach": 3600, "do": "raise_priority"})
    assert overdue(request, 10.5).priority == "medium"
    assert overdue(request, 11.5).priority == "high"


# ------------------------------------------------------------------------------------ measured anew


def test_a_new_policy_version_is_shown_before_it_is_applied_and_once_applied_is_done(world):
    policy("standard", resolution())
    requests = [make_request(world.item, world.requester) for _ in range(2)]
    shorter = policy("standard", resolution(durations=plain(60)))
    at = max(request.submitted_at for request in requests) + timedelta(minutes=5)
    rebase = Rebase(policy=shorter, retroactive=True)
    shown = preview(rebase, now=at)
    assert (shown.clocks, len(shown.moved), shown.breached, shown.no_longer_breached) == (2, 2, 2, 0)
    assert "sla.rebased" not in kinds(requests[0])
    assert (apply(rebase, actor=world.administrator), apply(rebase, actor=world.administrator)) == (2, 0)
    for request in requests:
        row = SlaClock.objects.get(stream_id=request.pk)
        assert (row.policy, row.allowed, row.due_at) == (shorter, 60, request.submitted_at + timedelta(seconds=60))
        assert Request.objects.get(pk=request.pk).pins["sla"] == shorter.pk
        stored_equals_replay(request)


def test_a_calendar_with_another_holiday_counts_from_now_on_or_from_the_beginning(world):
    old = make_calendar()
    business = {priority: {"business_seconds": 36_000} for priority in LEVELS}
    policy("standard", resolution(calendar="office", durations=business))
    request = make_request(world.item, world.requester)
    document = {
        **old.document,
        "holidays": {(clock.now() + timedelta(days=n)).date().isoformat(): "closed" for n in range(9)},
    }
    new = CalendarVersion.freeze("office", document)
    due = SlaClock.objects.get(stream_id=request.pk).due_at
    assert apply(Rebase(replaces={old.pk: new.pk}), actor=None) == 1
    row = SlaClock.objects.get(stream_id=request.pk)
    assert (row.calendar, row.due_at > due) == (new, True)
    assert Request.objects.get(pk=request.pk).pins["calendars"] == {"office": new.pk}


# ------------------------------------------------------------------------------------ explained


def explained(number: str, *options: str) -> str:
    out = StringIO()
    call_command("explain_clock", number, *options, stdout=out)
    return out.getvalue()


def test_a_clock_explains_itself_stretch_by_stretch(world):
    request = make_request(world.item, world.requester)
    hold_request(request, reason="wait", actor=world.administrator)
    text = explained(request.number)
    assert f"{request.number}  Please  (medium priority; times in UTC)" in text
    assert "fix" not in text
    assert "resolution (resolution): stands still" in text
    assert " of 10:00:00 used up, by the policy standard version 1" in text
    assert "  time runs\n" in text


def test_an_unknown_number_is_said_to_be_one(world):
    with pytest.raises(CommandError, match="There is no request SR-1"):
        explained("SR-1")


@pytest.mark.parametrize("number", ["SR-2026-999999", "", "x\0y", "\x1b[2J", "9" * 500])
def test_what_is_no_number_is_named_harmlessly(world, number):
    with pytest.raises(CommandError) as refused:
        explained(number)
    assert str(refused.value).startswith("There is no request ")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 90


def test_a_draft_says_that_its_clocks_are_still_to_start(world):
    draft = create_request(world.item, Wish(title="Please", data={}), actor=world.requester, submit=False)
    assert explained(draft.number.lower()).splitlines()[1] == "It is a draft: its clocks start when it is submitted."


def test_a_request_that_nothing_measures_says_why(world):
    world.item.sla_key = ""
    world.item.save()
    assert explained(make_request(world.item, world.requester).number).splitlines()[1] == (
        "No target measures this request: its item named no SLA policy when it was submitted."
    )
    policy("later", {"id": "a", "metric": "stage", "of": "nowhere", "durations": plain(60)})
    world.item.sla_key = "later"
    world.item.save()
    assert explained(make_request(world.item, world.requester).number).splitlines()[1] == (
        "No target of the SLA policy later has started yet: none of the events they start with has happened."
    )


def test_a_long_life_is_told_by_its_newest_stretches_unless_all_are_asked_for(world):
    make_calendar()
    policy("standard", resolution(calendar="office", durations={p: {"business_seconds": 36_000} for p in LEVELS}))
    with time_machine.travel("2024-01-01T08:00:00Z", tick=False):
        request = make_request(world.item, world.requester)
    with time_machine.travel("2026-01-01T12:00:00Z", tick=False):
        short, long = explained(request.number).splitlines(), explained(request.number, "--all").splitlines()
    assert (len(short), len(long)) == (205, 1051)
    assert short[4].endswith("847 older stretches (--all shows them)")
    assert short[5:] == long[-200:]
