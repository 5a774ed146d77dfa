from __future__ import annotations

import pytest

from apps.outbox.models import Delivery, Event, Incident
from apps.outbox.relay import run_relay
from apps.requests.models import Request, RequestParticipant
from apps.requests.services.calls import carry_out_due
from apps.requests.services.operations import retry_incident
from apps.requests.services.work import complete_task
from apps.workflows.models import ActionCall, Task
from tests.factories import Json, choice_document, line_document, make_item, make_person, make_workflow
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def action(name: str, **settings) -> Json:
    return {"id": "act", "kind": "action", "name": "Act", "action": name, "with": settings}


def with_way_out(document: Json) -> Json:
    """The document with an end for an action that has failed."""
    document["steps"].append({"id": "no", "kind": "end", "outcome": "rejected"})
    document["transitions"].append({"from": "act", "to": "no", "outcome": "failed"})
    return document


def only_incident() -> Incident:
    return Incident.objects.get(status="open")


def other_requests() -> list[Request]:
    return list(Request.objects.filter(origin="workflow").select_related("item", "requester"))


# assign


def test_assign_gives_the_request_to_a_person_who_then_sees_it(world):
    request = submit(world, line_document("give", action("assign", to={"person": "worker"})))
    assert (fresh(request).status, fresh(request).assignee) == ("completed", world.worker)
    assert RequestParticipant.objects.filter(request=request, principal=f"user:{world.worker.pk}").exists()
    told = Event.objects.get(stream_id=request.pk, type="request.assigned")
    assert (told.actor, told.data["assignee"], told.data["team"]) == ("system", world.worker.pk, None)


def test_assign_gives_the_request_to_a_team(world):
    request = submit(world, line_document("give", action("assign", to={"team": "it"})))
    assert (fresh(request).assignee, fresh(request).team.key) == (None, "it")


def test_assign_by_an_expression(world):
    request = submit(world, line_document("give", action("assign", to={"cel": "'sen' + 'ior'"})))
    assert fresh(request).assignee == world.senior


def test_assigning_to_nobody_is_an_incident_and_works_once_there_is_somebody(world):
    request = submit(world, line_document("give", action("assign", to={"role": "painter"})))
    assert only_incident().detail == "Step act: {'role': 'painter'} names nobody active."
    assert_agreement(request)
    make_person("pablo", roles=["painter"])
    retry_incident(only_incident(), reason="Pablo is here.", actor=world.administrator)
    assert fresh(request).status == "completed"


# failing


def test_a_value_that_does_not_fit_takes_the_way_for_failures(world):
    document = with_way_out(line_document("set", action("set_fields", fields={"amount": "'much'"})))
    request = submit(world, document)
    assert (fresh(request).status, Incident.objects.count()) == ("rejected", 0)


def test_an_expression_that_fails_is_an_incident_that_names_it_even_where_there_is_a_way_for_failures(world):
    document = with_way_out(line_document("set", action("set_fields", fields={"total": "request.data.size * 2"})))
    request = submit(world, document)
    assert "Step act: " in only_incident().detail
    assert "(guard: request.data.size * 2)" in only_incident().detail
    assert_agreement(request)
    Request.objects.filter(pk=request.pk).update(data={"reason": "x", "size": 4})
    retry_incident(only_incident(), reason="The size is known.", actor=world.administrator)
    assert (fresh(request).status, fresh(request).data["total"]) == ("completed", 8)


def test_a_choice_that_fails_waits_and_goes_on_once_a_parallel_branch_has_written_the_value(world):
    document = choice_document("request.data.size > 1", "mended")
    work = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}
    document["steps"] += [
        {"id": "both", "kind": "split"},
        work,
        action("set_fields", fields={"size": "2"}),
        {"id": "set", "kind": "end"},
    ]
    document["transitions"][0] = {"from": "start", "to": "both"}
    document["transitions"] += [
        {"from": "both", "to": "which"},
        {"from": "both", "to": "work"},
        {"from": "work", "to": "act"},
        {"from": "act", "to": "set"},
    ]
    request = submit(world, document)
    assert "Step which: " in only_incident().detail
    assert "(guard: request.data.size > 1)" in only_incident().detail
    complete_task(Task.objects.get(), actor=world.worker)
    assert fresh(request).status == "in_progress"
    retry_incident(only_incident(), reason="It is known now.", actor=world.administrator)
    assert fresh(request).status == "completed"
    assert_agreement(request)


# create_request


@pytest.fixture
def other(world):
    work = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}
    return make_item("other", workflow=make_workflow(line_document("other", work)))


def test_another_request_is_made_after_the_commit_for_the_same_people(world, other):
    make = action("create_request", item="other", title="'For ' + request.number", fields={"reason": "'because'"})
    request = submit(world, line_document("make", make))
    assert (other_requests(), fresh(request).status) == ([], "submitted")
    assert_agreement(request)
    run_relay()
    (made,) = other_requests()
    assert (made.title, made.data, made.requester) == (f"For {request.number}", {"reason": "because"}, world.requester)
    assert (made.status, fresh(request).status) == ("submitted", "completed")
    assert ActionCall.objects.get().status == "done"
    assert_agreement(request)


def test_it_is_made_once_however_often_the_event_is_delivered(world, other):
    request = submit(world, line_document("make", action("create_request", item="other", fields={"reason": "'x'"})))
    run_relay()
    delivery = Delivery.objects.get(subscriber="actions")
    carry_out_due(delivery)
    Delivery.objects.filter(pk=delivery.pk).update(status="pending", leased_until=None)
    run_relay()
    assert len(other_requests()) == 1
    assert Event.objects.filter(stream_id=request.pk, type="action.done").count() == 1


def test_what_the_other_item_refuses_leaves_no_trace_but_the_incident(world, other):
    request = submit(world, line_document("make", action("create_request", item="other", fields={"reason": "7"})))
    run_relay()
    assert (other_requests(), ActionCall.objects.get().status) == ([], "failed")
    assert only_incident().stream_id == request.pk
    assert_agreement(request)
    retry_incident(only_incident(), reason="once more", actor=world.administrator)
    assert ActionCall.objects.filter(status="pending").count() == 1
    assert_agreement(request)


def test_a_refused_request_takes_the_way_for_failures(world):
    document = with_way_out(line_document("make", action("create_request", item="gone", fields={"reason": "'x'"})))
    request = submit(world, document)
    run_relay()
    assert (fresh(request).status, Incident.objects.count()) == ("rejected", 0)
    assert Event.objects.get(stream_id=request.pk, type="action.failed").data["attempts"] == 1
