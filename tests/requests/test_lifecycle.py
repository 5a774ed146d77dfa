from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from apps.approvals.models import Approval
from apps.core import clock
from apps.core.crypto import audit_ring
from apps.core.errors import InvalidInput, Misconfigured, NotPermitted, NotVisible, TransitionNotAllowed
from apps.outbox.chain import first_broken
from apps.outbox.models import Event
from apps.requests.enums import RequestStatus
from apps.requests.models import Request
from apps.requests.selectors import get_request_for, tasks_of
from apps.requests.services import lifecycle
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import Wish, create_request
from apps.requests.services.work import complete_task
from apps.requests.sweeps import run_sweeps
from tests.factories import (
    approval_document,
    line_document,
    make_item,
    make_request,
    make_workflow,
    publish_document,
    refusal,
)

AMOUNT = 'The amount must be a number such as "12.50", with at most twelve digits and two after the point.'
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def fresh(request: Request) -> Request:
    return Request.objects.get(pk=request.pk)


def types_of(request: Request) -> list[str]:
    return list(Event.objects.filter(stream_id=request.pk).order_by("seq").values_list("type", flat=True))


def finish(request, world):
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    complete_task(tasks_of(request).get(), actor=world.worker)


def test_a_request_goes_from_submission_to_archive(world):
    request = make_request(world.item, world.requester)
    assert request.status == RequestStatus.SUBMITTED
    finish(request, world)
    assert fresh(request).status == RequestStatus.COMPLETED
    with time_machine.travel(clock.now() + timedelta(days=31), tick=False):
        assert run_sweeps()["archiving"] == 1
    archived = fresh(request)
    assert (archived.status, archived.outcome) == (RequestStatus.ARCHIVED, "completed")
    assert types_of(request) == [
        "request.drafted",
        "request.validated",
        "request.workflow_selected",
        "request.submitted",
        "sla.started",
        "sla.started",
        "run.started",
        "approval.opened",
        "approval.level_opened",
        "request.first_response",
        "approval.decided",
        "approval.ended",
        "task.opened",
        "sla.met",
        "task.completed",
        "run.ended",
        "request.completed",
        "sla.met",
        "request.archived",
    ]


def test_every_write_leaves_an_unbroken_chain_and_the_revision_of_its_stream(world):
    request = make_request(world.item, world.requester)
    finish(request, world)
    events = list(Event.objects.filter(stream_id=request.pk).order_by("seq"))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert first_broken(events, ring=audit_ring()) is None
    stored = Request.objects.select_related("stream").get(pk=request.pk)
    assert stored.revision == stored.stream.last_seq == len(events)


def test_tags_are_kept_once_each_and_stay_where_an_edit_does_not_name_them(world):
    wish = Wish(data={"reason": "because"}, tags=["vip", "urgent", "vip"])
    draft = create_request(world.item, wish, actor=world.requester, submit=False)
    lifecycle.edit_draft(draft, Wish(data={"reason": "because"}), actor=world.requester)
    assert fresh(draft).tags == ["vip", "urgent"]
    lifecycle.edit_draft(draft, Wish(data={"reason": "because"}, tags=[]), actor=world.requester)
    assert fresh(draft).tags == []


def test_the_tags_of_a_request_can_select_its_workflow(world):
    special = make_workflow(line_document("special"))
    world.item.rules.update(order=9)
    world.item.rules.create(order=1, name="vip", guard="'vip' in request.tags", workflow=special)
    chosen = []
    for tags in (["vip"], [], None):
        made = create_request(world.item, Wish(data={"reason": "a"}, tags=tags), actor=world.requester)
        chosen.append(fresh(made).selection["workflow"])
    assert chosen == ["special", "simple", "simple"]


def test_a_draft_may_lack_fields_pins_nothing_and_is_checked_again_when_submitted(world):
    draft = create_request(world.item, Wish(data={}), actor=world.requester, submit=False)
    assert (draft.status, draft.pins) == (RequestStatus.DRAFT, {})
    with refusal(InvalidInput) as refused:
        lifecycle.submit_request(draft, actor=world.requester)
    assert refused.value.errors == {"data.reason": ["Please fill this in."]}
    assert fresh(draft).status == RequestStatus.DRAFT
    lifecycle.edit_draft(draft, Wish(title="Now", data={"reason": "because"}), actor=world.requester)
    assert lifecycle.submit_request(draft, actor=world.requester).status == RequestStatus.SUBMITTED


@pytest.mark.parametrize(
    ("wish", "errors"),
    [
        ({"data": {}}, {"data.reason": ["Please fill this in."]}),
        ({"data": {"reason": 5}}, {"data.reason": ["This must be text."]}),
        ({"data": {"reason": "  "}}, {"data.reason": ["Please fill this in."]}),
        ({"data": {"reason": "a\x00b"}}, {"data.reason": ["Character 2 (U+0000) cannot be stored."]}),
        ({"data": {"reason": "a\ud800"}}, {"data.reason": ["Character 2 (U+D800) cannot be stored."]}),
        (
            {"data": {"reason": "x" * 1_000_000}},
            {"data.reason": ["This is too long: 1,000,000 characters, at most 500 are accepted."]},
        ),
        ({"data": {"reason": "a", "other": 1}}, {"data.other": ["The form has no such field."]}),
        ({"data": []}, {"data": ["This must be an object with the form's fields."]}),
        ({"data": {"reason": "a"}, "tags": "vip"}, {"tags": ["This must be a list of at most 20 words."]}),
        ({"data": {"reason": "a"}, "tags": ["x"] * 21}, {"tags": ["This must be a list of at most 20 words."]}),
        ({"data": {"reason": "a"}, "tags": ["x", " "]}, {"tags": ["This must be a list of at most 20 words."]}),
        ({"data": {"reason": "a"}, "tags": [7]}, {"tags": ["This must be text."]}),
        (
            {"data": {"reason": "a"}, "tags": ["x" * 61]},
            {"tags": ["This is too long: 61 characters, at most 60 are accepted."]},
        ),
        (
            {"data": {"reason": "a", "amount": {"amount": "1.001"}}},
            {
                "data.amount": [
                    'The amount must be a number such as "12.50", with at most twelve digits and two after the point.'
                ]
            },
        ),
        (
            {"data": {"reason": "a", "needed_by": "31.1.2026"}},
            {"data.needed_by": ["This must be a date such as 2026-01-31."]},
        ),
        ({"title": "t" * 201}, {"title": ["This is too long: 201 characters, at most 200 are accepted."]}),
        ({"urgency": "now"}, {"urgency": ["This must be one of high, medium, low."]}),
    ],
)
def test_a_wish_that_does_not_fit_is_refused_by_field_and_nothing_is_written(world, wish, errors):
    with refusal(InvalidInput) as refused:
        create_request(world.item, Wish(**{"data": {"reason": "fine"}, **wish}), actor=world.requester)
    assert refused.value.errors == errors


def test_the_first_rule_whose_guard_holds_selects_and_the_reason_is_kept(world):
    large = make_workflow(approval_document("large"))
    small = make_workflow(approval_document("small"))
    rules = [
        {"name": "above 1,000", "guard": "has(request.data.amount) && request.data.amount > 1000.0", "workflow": large},
        {"name": "everything else", "guard": "", "workflow": small},
    ]
    item = make_item("expenses", rules=rules)
    dear = make_request(item, world.requester, data={"reason": "a", "amount": {"amount": "1000.01"}})
    cheap = make_request(item, world.requester, data={"reason": "a", "amount": {"amount": "1000.00"}})
    assert (dear.selection["workflow"], dear.selection["rule"], dear.selection["passed_over"]) == (
        "large",
        "above 1,000",
        [],
    )
    assert (cheap.selection["workflow"], cheap.selection["passed_over"]) == ("small", ["above 1,000"])
    assert dear.pins["workflow"] == large.versions.get().pk


def test_a_selection_guard_that_fails_is_an_error_not_a_silent_no(world):
    item = make_item(
        "odd",
        rules=[
            {"name": "odd", "guard": "request.data.missing > 1", "workflow": make_workflow(approval_document("odd"))}
        ],
    )
    with refusal(Misconfigured, "odd"):
        make_request(item, world.requester)


def test_a_request_stays_on_the_versions_it_was_submitted_on(world):
    request = make_request(world.item, world.requester)
    pins = dict(request.pins)
    workflow = request.run.version.workflow

    publish_document(workflow, {**approval_document(), "name": "Other"})
    finish(request, world)
    assert fresh(request).pins == pins
    assert make_request(world.item, world.requester).pins["workflow"] != pins["workflow"]


def test_hold_stops_the_clocks_and_resume_takes_up_where_it_was(world):
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    held = lifecycle.hold_request(request, reason="Waiting for a part", actor=world.lead)
    assert held.status == RequestStatus.ON_HOLD
    assert set(held.stream.clocks.filter(metric="resolution").values_list("status", flat=True)) == {"paused"}
    resumed = lifecycle.resume_request(request, actor=world.lead)
    assert resumed.status == RequestStatus.IN_PROGRESS
    assert set(held.stream.clocks.filter(metric="resolution").values_list("status", flat=True)) == {"running"}


def test_only_the_lead_and_administrators_hold(world):
    request = make_request(world.item, world.requester)
    for person in (world.requester, world.manager, world.worker):
        with refusal(NotPermitted):
            lifecycle.hold_request(request, reason="no", actor=person)


def test_cancelling_takes_everything_open_back(world):
    request = make_request(world.item, world.requester)
    cancelled = lifecycle.cancel_request(request, reason="not needed any more", actor=world.requester)
    assert (cancelled.status, cancelled.outcome) == (RequestStatus.CANCELLED, "cancelled")
    assert Approval.objects.get(stream_id=request.pk).status == "withdrawn"
    assert set(request.stream.clocks.values_list("status", flat=True)) == {"void"}
    with refusal(TransitionNotAllowed):
        lifecycle.cancel_request(request, actor=world.requester)


def test_a_reopened_request_starts_its_next_run_on_the_same_pins(world):
    request = make_request(world.item, world.requester)
    finish(request, world)
    reopened = lifecycle.reopen_request(request, reason="It broke again", actor=world.requester)
    assert (reopened.status, reopened.outcome, reopened.run.n) == (RequestStatus.IN_PROGRESS, "", 2)
    assert reopened.pins == request.pins
    assert list(request.stream.clocks.filter(metric="resolution").values_list("status", flat=True)) == [
        "met",
        "running",
    ]


def test_a_request_cannot_be_reopened_after_the_days_of_its_item(world):
    request = make_request(world.item, world.requester)
    finish(request, world)
    with time_machine.travel(clock.now() + timedelta(days=15), tick=False), refusal(TransitionNotAllowed):
        lifecycle.reopen_request(request, reason="late", actor=world.requester)
    assert fresh(request).status == RequestStatus.COMPLETED


def test_a_stranger_sees_nothing_and_those_concerned_do(world):

    request = make_request(world.item, world.requester)
    for person in (world.requester, world.manager, world.administrator):
        assert get_request_for(person, request.number) == request
    for person in (world.stranger, world.worker):
        with pytest.raises(NotVisible):
            get_request_for(person, request.number)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    assert get_request_for(world.worker, request.number) == request
