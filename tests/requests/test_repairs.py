"""What once went wrong, each as a sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.approvals.models import Approval, Seat
from apps.core import clock
from apps.core.errors import InvalidInput, NotPermitted, NotVisible, TransitionNotAllowed
from apps.outbox.models import Incident
from apps.outbox.relay import run_relay
from apps.requests import policies
from apps.requests.models import CatalogItem, Request
from apps.requests.policies import Act
from apps.requests.selectors import feed_for, get_request_for, history_of, items_for, tasks_of
from apps.requests.services import lifecycle
from apps.requests.services.comments import add_comment
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import Wish, create_request
from apps.requests.services.operations import retry_incident
from apps.requests.services.work import claim_task
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock
from tests.factories import (
    approval_document,
    line_document,
    make_item,
    make_person,
    make_request,
    make_workflow,
    refusal,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def approval_of(request: Request) -> Approval:
    return Approval.objects.filter(stream_id=request.pk).latest("id")


def test_a_requester_with_a_task_of_their_own_does_not_read_internal_notes(world):
    request = make_request(world.item, world.requester)
    record_decision(approval_of(request), verdict="return", comment="which?", actor=world.manager)
    add_comment(request, text="secret", internal=True, actor=world.administrator)
    claim_task(tasks_of(request).get(), actor=world.requester)
    run_relay()
    stored = Request.objects.get(pk=request.pk)
    assert not policies.may(world.requester, Act.READ_INTERNALLY, stored)
    assert "secret" not in [line.note for line in history_of(stored, reader=world.requester)]
    seen = [event.data.get("internal") for event in feed_for(world.requester) if event.type == "comment.added"]
    assert seen == []


def test_a_cancelled_draft_is_archived(world):
    draft = create_request(world.item, Wish(data={}), actor=world.requester, submit=False)
    lifecycle.cancel_request(draft, actor=world.requester)
    assert run_sweeps(clock.now() + timedelta(days=31))["archiving"] == 1
    assert Request.objects.get(pk=draft.pk).status == "archived"


@pytest.mark.parametrize("end", ["cancel", "reject"])
def test_reopening_what_was_not_completed_asks_for_approval_again(world, end):
    document = {**approval_document("again"), "reopen": "work"}
    request = make_request(make_item("again", workflow=make_workflow(document)), world.requester)
    if end == "cancel":
        lifecycle.cancel_request(request, actor=world.requester)
    else:
        record_decision(approval_of(request), verdict="reject", comment="no", actor=world.manager)
    lifecycle.reopen_request(request, reason="please", actor=world.requester)
    assert (approval_of(request).status, tasks_of(request).count()) == ("pending", 0)


def test_a_retry_asks_again_once_there_is_somebody(world):
    world.administrator.is_active = False
    world.administrator.save()
    request = make_request(world.item, world.manager)
    operator = make_person("operator", is_superuser=True)
    with refusal(TransitionNotAllowed, match="too few active people"):
        retry_incident(Incident.objects.get(), reason="now?", actor=operator)
    world.administrator.is_active = True
    world.administrator.save()
    retry_incident(Incident.objects.get(), reason="now", actor=operator)
    assert [seat.user for seat in Seat.objects.filter(level__approval__stream_id=request.pk)] == [world.administrator]


def test_a_workflow_that_goes_on_by_itself_for_ever_is_stopped_and_an_incident_opens(world):
    document = line_document(
        "forever",
        {"id": "say", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "again"}},
        {"id": "which", "kind": "choice", "name": "Which?"},
    )
    document["transitions"][-1] |= {"when": "request.data.reason == 'stop'"}
    document["transitions"].append({"from": "which", "to": "say", "otherwise": True})
    item = make_item("forever", workflow=make_workflow(document))
    request = make_request(item, world.requester)
    incident = Incident.objects.get()
    said = "Step say: The workflow went on by itself for more than 100 steps and was stopped."
    assert (incident.stream_id, incident.kind, incident.detail) == (request.pk, "workflow", said)
    assert (request.status, request.comments.count()) == ("submitted", 100)


def test_a_computed_value_that_does_not_fit_its_field_is_an_incident_and_a_number_becomes_money(world):
    def setting(key: str, expression: str) -> Request:
        action = {"id": "set", "kind": "action", "name": "Set", "action": "set_fields", "with": {"fields": {}}}
        action["with"]["fields"]["amount"] = expression
        return make_request(make_item(key, workflow=make_workflow(line_document(key, action))), world.requester)

    assert setting("good", "12.5").data["amount"] == {"amount": "12.50", "currency": "EUR"}
    bad = setting("bad", "'abc'")
    assert (bad.status, Incident.objects.get().stream_id) == ("submitted", bad.pk)


def test_a_task_for_a_team_without_anybody_goes_to_the_administrators(world):
    for person in (world.worker, world.senior, world.lead):
        person.is_active = False
        person.save()
    request = make_request(world.item, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    assert tasks_of(request).get().group.name == "administrator"
    assert Incident.objects.get().kind == "task_without_assignee"


@pytest.mark.parametrize("amount", ["1E+5000000", "NaN", "1" * 13, "0.001", "", 1.5, None])
def test_an_amount_that_is_none_is_refused_by_its_field(world, amount):
    with refusal(InvalidInput) as refused:
        make_request(world.item, world.requester, data={"reason": "a", "amount": {"amount": amount}})
    assert list(refused.value.errors) == ["data.amount"]


def test_a_date_outside_what_calendars_know_is_refused_by_its_field(world):
    with refusal(InvalidInput) as refused:
        make_request(world.item, world.requester, data={"reason": "a", "needed_by": "0001-01-01"})
    assert list(refused.value.errors) == ["data.needed_by"]


def test_a_draft_given_to_somebody_else_is_no_longer_seen_by_the_first(world):
    first, second = make_person("first"), make_person("second")
    draft = create_request(world.item, Wish(data={}, requested_for=first), actor=world.requester, submit=False)
    lifecycle.edit_draft(draft, Wish(data={}, requested_for=second), actor=world.requester)
    assert get_request_for(second, draft.number) == draft
    with pytest.raises(NotVisible):
        get_request_for(first, draft.number)


def test_a_withdrawn_item_cannot_be_submitted_from_an_old_draft(world):
    draft = create_request(world.item, Wish(data={"reason": "a"}), actor=world.requester, submit=False)
    world.item.active = False
    world.item.save()
    with refusal(NotPermitted):
        lifecycle.submit_request(draft, actor=world.requester)


def test_an_auditor_only_reads(world):
    auditor = make_person("auditor", roles=["auditor"])
    request = make_request(world.item, world.requester)
    with refusal(NotPermitted):
        add_comment(request, text="hm", actor=auditor)


def test_a_reopened_run_that_ends_at_once_leaves_no_clock_running(world):
    say = {"id": "say", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "done"}}
    item = make_item("quick", workflow=make_workflow(line_document("quick", say)), sla_key="standard")
    request = make_request(item, world.requester)
    lifecycle.reopen_request(request, reason="again", actor=world.requester)
    assert Request.objects.get(pk=request.pk).status == "completed"
    assert set(SlaClock.objects.filter(stream_id=request.pk).values_list("status", flat=True)) == {"met"}


def test_an_item_without_a_workflow_is_not_offered(world):
    CatalogItem.objects.create(slug="empty", name="Empty", form_key="thing")
    assert list(items_for(world.requester)) == [world.item]
