from __future__ import annotations

import pytest

from apps.core.errors import NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import Comment, Request
from apps.requests.selectors import tasks_of
from apps.requests.services.work import complete_task, send_message
from apps.workflows.models import StepVisit, Task
from tests.factories import choice_document, line_document, make_item, make_request, make_workflow, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def request_through(world, key: str, *steps) -> Request:
    return make_request(make_item(key, workflow=make_workflow(line_document(key, *steps))), world.requester)


def types_of(request: Request) -> list[str]:
    return list(Event.objects.filter(stream_id=request.pk).order_by("seq").values_list("type", flat=True))


def test_actions_run_by_themselves_in_the_same_transaction(world):
    request = request_through(
        world,
        "auto",
        {"id": "set", "kind": "action", "name": "Set", "action": "set_fields", "with": {"fields": {"size": "6 * 7"}}},
        {"id": "say", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "done by itself"}},
        {
            "id": "tell",
            "kind": "action",
            "name": "Tell",
            "action": "notify",
            "with": {"to": [{"requester": True}], "text": "ready"},
        },
    )
    assert (request.status, request.data["size"]) == ("completed", 42)
    assert Comment.objects.get(request=request).note.text == "done by itself"
    assert [kind for kind in types_of(request) if kind.split(".")[0] in ("action", "comment", "notice")] == [
        "action.done",
        "comment.added",
        "action.done",
        "notice.sent",
        "action.done",
    ]


def test_a_message_wakes_the_wait_once_and_a_kept_one_waits_for_it(world):
    wait = {
        "id": "badge",
        "kind": "wait",
        "name": "Badge",
        "for": {"message": "badge", "key": "request.number", "keep": True},
    }
    desk = {"id": "desk", "kind": "task", "name": "Desk", "assign": {"team": "it"}}
    request = request_through(world, "early", desk, wait)
    told = send_message(request, name="badge", key=request.number, actor=world.worker)
    assert [event.type for event in told][-1] == "message.kept"
    complete_task(tasks_of(request).get(), actor=world.worker)
    assert Request.objects.get(pk=request.pk).status == "completed"
    with refusal(TransitionNotAllowed):
        send_message(request, name="badge", key=request.number, actor=world.worker)


def test_only_those_who_work_on_it_send_messages(world):
    wait = {"id": "badge", "kind": "wait", "name": "Badge", "for": {"message": "badge", "key": "request.number"}}
    desk = {"id": "desk", "kind": "task", "name": "Desk", "assign": {"team": "it"}}
    request = request_through(world, "late", desk, wait)
    complete_task(tasks_of(request).get(), actor=world.worker)
    with refusal(NotPermitted):
        send_message(request, name="badge", key=request.number, actor=world.requester)
    lost = send_message(request, name="badge", key="another", actor=world.worker)
    assert [event.type for event in lost] == ["message.lost"]
    send_message(request, name="badge", key=request.number, actor=world.worker)
    assert Request.objects.get(pk=request.pk).status == "completed"


def test_a_guard_that_fails_rests_the_run_and_calls_an_operator(world):
    document = choice_document("request.data.nothing > 1")
    request = make_request(make_item("fails", workflow=make_workflow(document)), world.requester)
    incident = Incident.objects.get(stream_id=request.pk)
    assert (request.status, incident.kind) == ("submitted", "workflow")
    assert "which" in incident.detail
    assert "request.data.nothing > 1" in incident.detail


def test_a_task_whose_team_does_not_exist_goes_to_the_administrators_with_an_incident(world):
    request = request_through(world, "lost", {"id": "t", "kind": "task", "name": "T", "assign": {"team": "nobody"}})
    task = Task.objects.get(stream_id=request.pk)
    assert (task.group.name, Incident.objects.get().kind) == ("administrator", "task_without_assignee")


def test_a_loop_back_makes_a_new_visit_each_time_and_one_is_open(world):
    document = {
        "format": 1,
        "workflow": "loop",
        "name": "Loop",
        "steps": [
            {"id": "start", "kind": "start"},
            {
                "id": "try",
                "kind": "task",
                "name": "Try",
                "assign": {"team": "it"},
                "outcomes": [{"id": "again", "label": "Again"}, {"id": "good", "label": "Good"}],
            },
            {"id": "end", "kind": "end", "outcome": "completed"},
        ],
        "transitions": [
            {"from": "start", "to": "try"},
            {"from": "try", "to": "try", "outcome": "again"},
            {"from": "try", "to": "end", "outcome": "good"},
        ],
    }
    request = make_request(make_item("loop", workflow=make_workflow(document)), world.requester)
    for outcome in ("again", "again", "good"):
        complete_task(tasks_of(request).get(status="open"), outcome=outcome, actor=world.worker)
    visits = StepVisit.objects.filter(run__stream_id=request.pk).order_by("number")
    assert list(visits.values_list("status", "outcome")) == [("ended", "again"), ("ended", "again"), ("ended", "good")]
    assert Request.objects.get(pk=request.pk).status == "completed"
