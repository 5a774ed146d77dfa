from __future__ import annotations

import pytest

from apps.approvals.models import Approval, Seat
from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import Request
from apps.requests.selectors import tasks_for, tasks_of
from apps.requests.services import operations
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.operations import retry_incident
from apps.requests.services.work import claim_task, complete_task, send_message
from apps.workflows.models import StepVisit, Task
from tests.factories import MANAGER_LEVEL, Json, line_document, refusal
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, submit
from tests.requests.test_decisions import statements

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
EACH: Json = {"id": "each", "kind": "task", "name": "Each", "assign": {"team": "it"}}
PEOPLE = "['worker', 'senior', 'lead']"


def open_tasks(request: Request) -> list[Task]:
    return list(tasks_of(request).filter(status__in=("open", "claimed")).order_by("instance"))


def items(request: Request) -> list[object]:
    return [task.item for task in open_tasks(request)]


def where(request: Request) -> dict[str, int]:
    """Run and number of the visit to the step with instances."""
    visit = StepVisit.objects.filter(run=request.run_id, step="each").latest("id")
    return {"run": request.run_id, "visit": visit.number}


def test_a_task_for_each_item_of_the_list_and_the_step_ends_with_the_last(world):
    request = submit(world, line_document("each", {**EACH, "for_each": "['a', {'size': 2}, 3]"}))
    assert items(request) == ["a", {"size": 2}, 3]
    assert_agreement(request)
    for task in reversed(open_tasks(request)):
        assert fresh(request).status != "completed"
        complete_task(task, actor=world.worker)
        assert_agreement(request)
    assert fresh(request).status == "completed"


def test_each_instance_goes_to_the_person_its_item_names_and_is_in_their_list(world):
    request = submit(world, line_document("each", {**EACH, "for_each": PEOPLE, "assign": {"cel": "item"}}))
    for person in (world.worker, world.senior, world.lead):
        (task,) = tasks_for(person)
        assert (task.item, task.assignee) == (person.username, person)
    claim_task(tasks_for(world.senior).get(), actor=world.senior)
    assert_agreement(request)
    complete_task(tasks_for(world.senior).get(), actor=world.senior)
    assert list(tasks_for(world.senior)) == []
    assert items(request) == ["worker", "lead"]


def test_an_item_that_names_nobody_goes_to_the_administrators_with_an_incident(world):
    submit(world, line_document("each", {**EACH, "for_each": "['worker', 'nobody']", "assign": {"cel": "item"}}))
    assert tasks_for(world.administrator).get().item == "nobody"
    assert Incident.objects.get().kind == "task_without_assignee"


def test_the_list_comes_from_the_data_and_is_read_once(world):
    fields = {"id": "set", "kind": "action", "name": "Set", "action": "set_fields", "with": {"fields": {"who": PEOPLE}}}
    request = submit(world, line_document("each", fields, {**EACH, "for_each": "request.data.who"}))
    Request.objects.filter(pk=request.pk).update(data={"reason": "x", "who": []})
    assert items(request) == ["worker", "senior", "lead"]
    for task in open_tasks(request):
        complete_task(task, actor=world.worker)
    assert fresh(request).status == "completed"


@pytest.mark.parametrize("instances", [{"count": 0}, {"for_each": "[]"}], ids=["count", "list"])
def test_no_instances_end_the_step_at_once(world, instances):
    request = submit(world, line_document("each", {**EACH, **instances}))
    assert (fresh(request).status, Task.objects.count()) == ("completed", 0)
    assert_agreement(request)


def test_a_sequence_opens_one_after_the_other(world):
    request = submit(world, line_document("each", {**EACH, "for_each": PEOPLE, "mode": "sequence"}))
    for item in ("worker", "senior", "lead"):
        assert items(request) == [item]
        assert_agreement(request)
        complete_task(open_tasks(request)[0], actor=world.worker)
    assert fresh(request).status == "completed"


def counted(**more) -> Json:
    """Three instances, then a task that tells which way was taken."""
    outcomes = [{"id": "yes", "label": "Yes"}, {"id": "no", "label": "No"}]
    return line_document("each", {**EACH, "count": 3, "outcomes": outcomes, **more}, {**EACH, "id": "after"})


def test_done_when_ends_the_step_and_what_is_left_over_moves_nothing(world):
    request = submit(world, counted(done_when="instances.completed >= 2"))
    first, second, third = open_tasks(request)
    complete_task(first, outcome="yes", actor=world.worker)
    complete_task(second, outcome="no", actor=world.worker)
    assert sorted(task.visit.step for task in open_tasks(request)) == ["after", "each"]
    assert_agreement(request)
    claim_task(third, actor=world.senior)
    complete_task(third, outcome="no", actor=world.senior)
    assert_agreement(request)
    assert fresh(request).status == "in_progress"
    complete_task(Task.objects.get(visit__step="after"), actor=world.worker)
    assert fresh(request).status == "completed"
    assert StepVisit.objects.get(step="each").outcome == "done"


def test_the_request_ends_only_when_what_is_left_over_has_ended_too(world):
    request = submit(world, counted(done_when="instances.completed >= 1"))
    first, second, third = open_tasks(request)
    complete_task(first, outcome="yes", actor=world.worker)
    complete_task(Task.objects.get(visit__step="after"), actor=world.worker)
    assert fresh(request).status == "in_progress"
    assert_agreement(request)
    for task in (second, third):
        complete_task(task, outcome="no", actor=world.worker)
    assert fresh(request).status == "completed"


def test_cancel_rest_withdraws_the_others(world):
    request = submit(world, counted(done_when="'no' in instances.outcomes", cancel_rest=True))
    first, second, third = open_tasks(request)
    complete_task(second, outcome="no", actor=world.worker)
    each = tasks_of(request).filter(visit__step="each").order_by("instance")
    assert list(each.values_list("instance", "status")) == [
        (0, "withdrawn"),
        (1, "done"),
        (2, "withdrawn"),
    ]
    assert_agreement(request)
    for task in (first, third):
        with refusal(TransitionNotAllowed):
            complete_task(task, outcome="yes", actor=world.worker)


def test_an_open_ended_step_takes_more_until_it_is_closed(world):
    request = submit(world, line_document("each", {**EACH, "for_each": "['a']", "open_ended": True}))
    complete_task(open_tasks(request)[0], actor=world.worker)
    assert fresh(request).status == "in_progress"
    operations.add_instance(request, **where(request), item={"name": "b"}, actor=world.worker)
    assert items(request) == [{"name": "b"}]
    assert_agreement(request)
    operations.close_instances(request, **where(request), actor=world.worker)
    with refusal(TransitionNotAllowed, match="takes no more instances"):
        operations.add_instance(request, **where(request), item="c", actor=world.worker)
    complete_task(open_tasks(request)[0], actor=world.worker)
    assert fresh(request).status == "completed"
    told = Event.objects.filter(stream_id=request.pk, type__startswith="instance").order_by("seq")
    assert list(told.values_list("type", flat=True)) == ["instance.added", "instances.closed"]


def test_an_empty_open_ended_step_waits_and_closing_it_ends_it(world):
    request = submit(world, line_document("each", {**EACH, "for_each": "[]", "open_ended": True}))
    assert (fresh(request).status, open_tasks(request)) == ("submitted", [])
    assert_agreement(request)
    operations.close_instances(request, **where(request), actor=world.administrator)
    assert fresh(request).status == "completed"


def test_finishing_withdraws_what_is_not_done_and_goes_on(world):
    request = submit(world, counted())
    complete_task(open_tasks(request)[0], outcome="yes", actor=world.worker)
    operations.finish_instances(request, **where(request), actor=world.worker)
    assert [task.visit.step for task in open_tasks(request)] == ["after"]
    assert_agreement(request)
    with refusal(TransitionNotAllowed):
        operations.finish_instances(request, **where(request), actor=world.worker)


def test_only_those_who_work_on_it_add_close_and_finish(world):
    request = submit(world, line_document("each", {**EACH, "count": 1, "open_ended": True}))
    for act in (operations.add_instance, operations.close_instances, operations.finish_instances):
        with refusal(NotPermitted):
            act(request, **where(request), actor=world.requester)
    with refusal(InvalidInput):
        operations.add_instance(request, **where(request), item="x" * 10_001, actor=world.worker)
    with refusal(TransitionNotAllowed):
        operations.add_instance(request, run=request.run_id, visit=999, actor=world.worker)


APPROVE: Json = {
    "id": "each",
    "kind": "approval",
    "name": "Each",
    "policy": {"levels": [MANAGER_LEVEL], "fallback": [{"role": "administrator"}]},
}


def test_an_approval_for_each_item_with_a_round_of_its_own(world):
    request = submit(world, line_document("each", {**APPROVE, "for_each": "['a', 'b', 'c']"}))
    assert list(Approval.objects.order_by("instance").values_list("instance", "status")) == [
        (0, "pending"),
        (1, "pending"),
        (2, "pending"),
    ]
    assert Seat.objects.filter(user=world.manager).count() == 3
    assert_agreement(request)
    for instance, verdict in ((1, "approve"), (0, "reject"), (2, "return")):
        approval = Approval.objects.get(instance=instance)
        record_decision(approval, verdict=verdict, comment="so", actor=world.manager)
        assert_agreement(request)
    assert fresh(request).status == "completed"
    assert list(Approval.objects.order_by("instance").values_list("status", flat=True)) == [
        "rejected",
        "approved",
        "returned",
    ]


def test_the_guard_of_a_level_sees_the_item_at_whatever_level(world):
    dear = {**MANAGER_LEVEL, "id": "dear", "approvers": [{"role": "senior"}], "when": "item > 10"}
    for key, levels in (("each", [dear]), ("later", [MANAGER_LEVEL, dear])):
        step = {**APPROVE, "policy": {**APPROVE["policy"], "levels": levels}}
        request = submit(world, line_document(key, {**step, "for_each": "[5, 20]"}))
        approvals = Approval.objects.filter(stream_id=request.pk)
        if key == "later":
            for approval in approvals:
                record_decision(approval, verdict="approve", actor=world.manager)
        assert list(approvals.order_by("instance").values_list("status", flat=True)) == ["approved", "pending"]
        assert Incident.objects.count() == 0
        assert_agreement(request)


def test_a_step_with_approvals_is_taken_back_whole_with_the_request(world):
    request = submit(world, line_document("each", {**APPROVE, "count": 2}))
    cancel_request(request, actor=world.requester)
    assert list(Approval.objects.values_list("status", flat=True)) == ["withdrawn", "withdrawn"]
    assert_agreement(request)


def test_messages_wake_the_instance_whose_key_they_name(world):
    wait = {"id": "each", "kind": "wait", "name": "Each", "for": {"message": "in", "key": "item"}}
    request = submit(world, line_document("each", {**wait, "for_each": "['a', 'b']"}))
    for key in ("b", "a"):
        assert fresh(request).status == "submitted"
        send_message(request, name="in", key=key, actor=world.administrator)
        assert_agreement(request)
    assert fresh(request).status == "completed"


def test_a_condition_that_fails_names_step_and_guard_and_goes_on_once_mended(world):
    request = submit(world, counted(done_when="instances.completed >= request.data.enough"))
    incident = Incident.objects.get()
    assert "Step each" in incident.detail
    assert "(guard: instances.completed >= request.data.enough)" in incident.detail
    assert_agreement(request)
    Request.objects.filter(pk=request.pk).update(data={"reason": "x", "enough": 1})
    retry_incident(incident, reason="One is enough.", actor=world.administrator)
    assert len(open_tasks(request)) == 3
    complete_task(open_tasks(request)[0], outcome="yes", actor=world.worker)
    assert Task.objects.get(visit__step="after").status == "open"
    assert_agreement(request)


def test_adding_where_the_condition_fails_is_an_incident_and_no_error(world):
    step = {**EACH, "count": 1, "open_ended": True, "done_when": "instances.total > 1 && request.data.missing"}
    request = submit(world, line_document("each", step))
    operations.add_instance(request, **where(request), actor=world.worker)
    assert "request.data.missing" in Incident.objects.get().detail
    assert_agreement(request)


def test_more_than_a_hundred_instances_that_end_by_themselves_are_no_loop(world):
    say = {"id": "each", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "hello"}, "count": 250}
    request = submit(world, line_document("each", say))
    assert (fresh(request).status, Incident.objects.count()) == ("completed", 0)


@pytest.mark.parametrize("count", [1, 3])
def test_automatic_steps_on_the_way_cost_no_statement_of_their_own(world, count):
    say = [{"id": f"c{n}", "kind": "choice", "name": "Which?"} for n in range(count)]
    document = line_document(f"auto{count}", {**EACH, "id": "ask"}, *say, EACH)
    for arrow in list(document["transitions"]):
        if arrow["from"].startswith("c"):
            document["transitions"].append({"from": arrow["from"], "to": "end", "otherwise": True})
            arrow["when"] = "request.number != ''"
    request = submit(world, document)
    task = open_tasks(request)[0]
    taken = statements(lambda: complete_task(task, actor=world.worker))
    assert len(taken) == 12, "\n".join(taken)


WAIT: Json = {"id": "each", "kind": "wait", "name": "Each", "for": {"seconds": 60}}
WEBHOOK: Json = {
    "id": "each",
    "kind": "action",
    "name": "Each",
    "action": "webhook",
    "with": {"url": "https://example.org/in"},
}


@pytest.mark.postgres  # SQLite takes fewer values in a statement, so a hundred rows are two there
@pytest.mark.parametrize(
    ("step", "wanted"),
    [(EACH, 11), ({**EACH, "assign": {"role": "fulfiller"}}, 14), (WAIT, 10), (WEBHOOK, 10)],
    ids=["team", "nobody", "wait", "webhook"],
)
def test_a_hundred_instances_open_in_as_many_statements_as_one(world, step, wanted):
    def cost(count: int, key: str) -> int:
        request = submit(world, line_document(key, {**EACH, "id": "first"}, {**step, "count": count}))
        (task,) = open_tasks(request)
        return len(statements(lambda: complete_task(task, actor=world.worker)))

    cost(1, "warm")
    assert [cost(count, f"of-{count}") for count in (1, 10, 100)] == [wanted] * 3
