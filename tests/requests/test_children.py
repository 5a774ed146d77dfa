from __future__ import annotations

import pytest

from apps.approvals.models import Approval
from apps.core.errors import NotVisible, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import FormVersion, Request
from apps.requests.selectors import history_of, tasks_for, tasks_of
from apps.requests.services.children import DEEPEST
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, reopen_request
from apps.requests.services.operations import retry_incident, skip_step
from apps.requests.services.work import complete_task, send_message
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import StepVisit, Task, Timer, WorkflowRun, WorkflowVersion
from tests.factories import MANAGER_LEVEL, Json, approval_document, line_document, make_calendar, refusal
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, publish, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
WORK: Json = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}
SUB: Json = {"id": "sub", "kind": "subflow", "name": "Sub", "workflow": "child"}


def parent_document(key: str = "parent", **sub) -> Json:
    """start -> the child -> an end for each way it can end."""
    document = line_document(key, {**SUB, **sub})
    document["steps"] += [{"id": "no", "kind": "end", "outcome": "rejected"}]
    document["transitions"] = [
        {"from": "start", "to": "sub"},
        {"from": "sub", "to": "end", "outcome": "completed"},
        {"from": "sub", "to": "no"},
    ]
    return document


def run_of(request: Request, depth: int = 1) -> WorkflowRun:
    """The child at that depth."""
    run = fresh(request).run
    for _ in range(depth):
        run = run.children.latest("id")
    return run


def open_task(request: Request) -> Task:
    return tasks_of(request).get(status__in=("open", "claimed"))


def incident_of(request: Request) -> Incident:
    return Incident.objects.get(stream_id=request.pk, status="open")


def test_the_parent_waits_while_people_do_the_tasks_and_approvals_of_the_child(world):
    publish(approval_document("child"))
    request = submit(world, parent_document())
    assert [(run.n, run.parent_id is None, run.ended_at) for run in WorkflowRun.objects.order_by("n")] == [
        (1, True, None),
        (2, False, None),
    ]
    assert_agreement(request)
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager)
    assert [task.name for task in tasks_for(world.worker)] == ["Work"]
    assert fresh(request).status == "in_progress"
    assert_agreement(request)
    complete_task(open_task(request), actor=world.worker)
    assert fresh(request).status == "completed"
    assert list(WorkflowRun.objects.order_by("n").values_list("outcome", flat=True)) == ["completed", "completed"]
    visit = StepVisit.objects.get(step="sub")
    assert (visit.status, visit.outcome) == ("ended", "completed")
    assert_agreement(request)


def test_the_outcome_of_the_child_takes_its_arrow(world):
    publish(approval_document("child"))
    request = submit(world, parent_document())
    record_decision(Approval.objects.get(), verdict="reject", comment="No.", actor=world.manager)
    assert (fresh(request).status, run_of(request).outcome) == ("rejected", "rejected")
    told = Event.objects.filter(stream_id=request.pk, type__in=("subflow.started", "subflow.ended", "run.ended"))
    assert list(told.order_by("seq").values_list("type", flat=True)) == [
        "subflow.started",
        "run.ended",
        "subflow.ended",
        "run.ended",
    ]


def choosing_child() -> Json:
    document = line_document("child", {"id": "which", "kind": "choice", "name": "Which?"}, WORK)
    document["transitions"][1]["when"] = "run.input.size > 2 && run.input.number == request.number"
    document["transitions"].append({"from": "which", "to": "end", "otherwise": True})
    return document


@pytest.mark.parametrize(("size", "tasks"), [("3", 1), ("2", 0)])
def test_the_child_sees_what_it_was_given_as_run_input(world, size, tasks):
    publish(choosing_child())
    request = submit(world, parent_document(input={"size": size, "number": "request.number"}))
    assert run_of(request).input == {"size": int(size), "number": request.number}
    assert tasks_of(request).count() == tasks
    assert_agreement(request)


def test_the_output_of_the_child_is_written_to_the_data(world):
    publish(line_document("child", WORK))
    output = {"asked": "run.input.size + 1", "ended": "run.outcome"}
    request = submit(world, parent_document(input={"size": "4"}, output=output))
    complete_task(open_task(request), actor=world.worker)
    assert fresh(request).data == {"reason": "I need it", "asked": 5, "ended": "completed"}
    assert fresh(request).status == "completed"


def test_an_output_that_fails_names_its_step_and_goes_on_from_there_once_mended(world):
    publish(line_document("child", WORK))
    request = submit(world, parent_document(output={"twice": "request.data.size * 2"}))
    complete_task(open_task(request), actor=world.worker)
    incident = incident_of(request)
    assert incident.detail.startswith("Step sub: ")
    assert "(guard: request.data.size * 2)" in incident.detail
    assert_agreement(request)
    Request.objects.filter(pk=request.pk).update(data={"reason": "I need it", "size": 21})
    retry_incident(incident, reason="The size was missing.", actor=world.administrator)
    assert (fresh(request).status, fresh(request).data["twice"]) == ("completed", 42)
    assert WorkflowRun.objects.filter(parent__isnull=False).count() == 1


def test_an_output_that_does_not_fit_its_field_is_an_incident_not_the_fault_of_who_did_the_last_task(world):
    publish(line_document("child", WORK))
    request = submit(world, parent_document(output={"amount": "'plenty'"}))
    complete_task(open_task(request), actor=world.worker)
    assert incident_of(request).detail == "Step sub: The output does not fit: amount"
    assert fresh(request).status == "in_progress"
    assert_agreement(request)
    skip_step(
        request,
        run=request.run_id,
        visit=StepVisit.objects.get(step="sub").number,
        reason="Known by phone.",
        actor=world.administrator,
    )
    assert fresh(request).status == "completed"


def test_cancelling_the_request_cancels_child_and_grandchild(world):
    publish(line_document("grandchild", {**WORK, "exclusive": "'desk'"}))
    publish(line_document("child", {**SUB, "workflow": "grandchild"}))
    request = submit(world, parent_document())
    assert_agreement(request)
    cancel_request(request, actor=world.requester)
    assert list(WorkflowRun.objects.order_by("n").values_list("outcome", flat=True)) == ["cancelled"] * 3
    assert (fresh(request).status, open_tasks(request)) == ("cancelled", 0)
    assert_agreement(request)


def open_tasks(request: Request) -> int:
    return tasks_of(request).filter(status__in=("open", "claimed")).count()


def test_a_deadline_of_the_step_cancels_the_child(world):
    publish(line_document("child", WORK))
    document = parent_document(deadlines=[{"id": "late", "after": {"seconds": 60}, "interrupt": True}])
    document["transitions"].append({"from": "sub", "to": "no", "deadline": "late"})
    request = submit(world, document)
    run_sweeps(Timer.objects.get().due_at)
    assert (fresh(request).status, run_of(request).outcome) == ("rejected", "cancelled")
    assert_agreement(request)


def test_the_child_stays_on_the_version_it_started_on(world):
    old = publish(line_document("child", WORK))
    request = submit(world, parent_document())
    new = publish(line_document("child", {**WORK, "name": "Another"}, {**WORK, "id": "more"}))
    assert (run_of(request).version, WorkflowVersion.objects.latest("id")) == (old, new)
    complete_task(open_task(request), actor=world.worker)
    assert fresh(request).status == "completed"


def test_a_child_that_is_not_published_is_an_incident_and_starts_once_it_is(world):
    request = submit(world, parent_document())
    incident = incident_of(request)
    assert incident.detail == "Step sub: The workflow 'child' has no published version."
    assert_agreement(request)
    retry_incident(incident, reason="Still not.", actor=world.administrator)
    publish(line_document("child", WORK))
    retry_incident(incident_of(request), reason="Now it is.", actor=world.administrator)
    complete_task(open_task(request), actor=world.worker)
    assert fresh(request).status == "completed"
    assert_agreement(request)


def test_a_child_that_names_what_does_not_exist_is_an_incident(world):
    pause = {"id": "pause", "kind": "wait", "name": "Pause", "for": {"business_seconds": 60, "calendar": "office"}}
    publish(line_document("child", pause))
    request = submit(world, parent_document())
    assert incident_of(request).detail == "Step sub: The calendar 'office' does not exist."
    calendar = make_calendar("office")
    retry_incident(incident_of(request), reason="There it is.", actor=world.administrator)
    assert fresh(request).pins["calendars"] == {"office": calendar.pk}
    assert_agreement(request)


def test_the_form_of_a_childs_task_is_pinned_when_the_child_starts(world):
    FormVersion.freeze("size", {"fields": [{"name": "size", "type": "number", "integer": True}]})
    publish(line_document("child", {**WORK, "form": "size"}))
    request = submit(world, parent_document(output={"double": "request.data.size * 2"}))
    FormVersion.freeze("size", {"fields": [{"name": "size", "type": "text"}]})
    complete_task(open_task(request), data={"size": 3}, actor=world.worker)
    assert fresh(request).data == {"reason": "I need it", "size": 3, "double": 6}


def recursive(until: int) -> Json:
    """A workflow that runs itself until it is as deep as that."""
    document = line_document("deep", {"id": "which", "kind": "choice", "name": "Which?"}, {**SUB, "workflow": "deep"})
    document["steps"][2] |= {"input": {"depth": "(has(run.input.depth) ? run.input.depth : 0) + 1"}}
    document["transitions"][1]["when"] = f"!has(run.input.depth) || run.input.depth < {until}"
    document["transitions"].append({"from": "which", "to": "end", "otherwise": True})
    return document


def test_a_workflow_runs_itself_behind_a_choice(world):
    request = submit(world, recursive(DEEPEST))
    assert (fresh(request).status, WorkflowRun.objects.count()) == ("completed", DEEPEST + 1)
    assert_agreement(request)


def test_deeper_than_twenty_is_an_incident_at_the_deepest_step(world):
    request = submit(world, recursive(DEEPEST + 1))
    assert incident_of(request).detail == "Step sub: Workflows call each other more than 20 deep."
    assert WorkflowRun.objects.filter(ended_at=None).count() == DEEPEST + 1
    assert_agreement(request)
    cancel_request(request, actor=world.requester)
    assert WorkflowRun.objects.filter(ended_at=None).count() == 0
    assert_agreement(request)


def test_a_child_for_each_instance_each_with_its_own_input(world):
    publish(line_document("child", {**WORK, "assign": {"cel": "run.input.who"}}))
    document = parent_document(for_each="['worker', 'senior']", input={"who": "item", "place": "index"})
    document["transitions"] = [{"from": "start", "to": "sub"}, {"from": "sub", "to": "end"}]
    document["steps"] = [step for step in document["steps"] if step["id"] != "no"]
    request = submit(world, document)
    assert list(WorkflowRun.objects.filter(parent__isnull=False).order_by("n").values_list("input", flat=True)) == [
        {"who": "worker", "place": 0},
        {"who": "senior", "place": 1},
    ]
    assert_agreement(request)
    for person in (world.senior, world.worker):
        assert fresh(request).status != "completed"
        complete_task(tasks_for(person).get(), actor=person)
        assert_agreement(request)
    assert fresh(request).status == "completed"


def test_a_reopened_request_starts_its_children_anew_under_the_next_numbers(world):
    publish(line_document("child", WORK))
    request = submit(world, parent_document())
    complete_task(open_task(request), actor=world.worker)
    reopen_request(fresh(request), reason="Once more.", actor=world.requester)
    assert list(WorkflowRun.objects.order_by("n").values_list("n", "parent__n")) == [
        (1, None),
        (2, 1),
        (3, None),
        (4, 3),
    ]
    complete_task(open_task(request), actor=world.worker)
    assert fresh(request).status == "completed"
    assert_agreement(request)


def test_an_approval_within_a_child_asks_by_the_childs_own_policy(world):
    level = {**MANAGER_LEVEL, "approvers": [{"role": "senior"}], "when": "run.input.big"}
    document = approval_document("child", levels=[MANAGER_LEVEL, level])
    document["steps"][1]["policy"]["levels"][1]["id"] = "senior"
    publish(document)
    request = submit(world, parent_document(input={"big": "true"}))
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager)
    record_decision(Approval.objects.get(), verdict="approve", actor=world.senior)
    assert open_task(request).name == "Work"
    assert Incident.objects.count() == 0


def test_children_that_end_at_once_in_a_loop_are_stopped_and_an_operator_is_told(world):
    publish(line_document("child", {"id": "none", "kind": "wait", "name": "None", "for": {"seconds": 1}, "count": 0}))
    document = line_document("loop", SUB, {"id": "which", "kind": "choice", "name": "Which?"})
    document["transitions"][-1]["when"] = "request.data.reason == 'stop'"
    document["transitions"].append({"from": "which", "to": "sub", "otherwise": True})
    request = submit(world, document)
    said = "Step sub: The workflow went on by itself for more than 100 steps and was stopped."
    assert (fresh(request).status, incident_of(request).detail) == ("submitted", said)
    assert_agreement(request)


def test_the_history_names_a_step_by_the_run_it_is_in_though_another_run_has_a_step_of_that_id(world):
    """Parent, child and the child of the child each have a step `work`, and the two above a step `sub`."""
    work, own = {**WORK, "name": "Weigh"}, {**WORK, "name": "Wrap"}
    publish(line_document("grandchild", work))
    publish(line_document("child", {**WORK, "name": "Carry"}, {**SUB, "workflow": "grandchild", "name": "Scales"}))
    request = submit(world, line_document("parent", SUB, own))
    for _ in range(3):
        complete_task(open_task(request), actor=world.worker)
    said = [line.what for line in history_of(fresh(request), reader=world.requester) if "“" in line.what]
    assert said == [
        "started “Sub”",
        "opened the task “Carry”",
        "finished “Carry”: Done",
        "started “Scales”",
        "opened the task “Weigh”",
        "finished “Weigh”: Done",
        "finished “Scales”",
        "finished “Sub”",
        "opened the task “Wrap”",
        "finished “Wrap”: Done",
    ]


def test_the_history_names_the_approval_of_a_child(world):
    child = approval_document("child")
    publish(child)
    ask = {**child["steps"][1], "name": "Ask above"}
    request = submit(world, line_document("parent", SUB, {**WORK, "id": ask["id"], "name": "Not asked"}))
    record_decision(Approval.objects.get(), verdict="approve", actor=world.manager)
    said = [line.what for line in history_of(fresh(request), reader=world.requester)]
    assert [line for line in said if "approv" in line] == [
        "asked Manager to approve “Approval”",
        "approved",
        "closed the approval “Approval”: approved",
    ]
    assert not any("Not asked" in line for line in said)


def test_a_message_for_a_child_that_has_ended_meanwhile_is_refused_under_the_lock_and_not_lost(world):
    publish(line_document("child", WORK))
    request = submit(world, line_document("parent", SUB, {**WORK, "id": "after"}))
    child = run_of(request)
    complete_task(open_task(request), actor=world.worker)
    with refusal(TransitionNotAllowed, match="This run has ended"):
        send_message(request, name="go", run=child.pk, actor=world.worker)
    other = submit(world, line_document("other", WORK))
    with refusal(NotVisible):
        send_message(request, name="go", run=other.run_id, actor=world.worker)
    send_message(request, name="go", actor=world.worker)
    assert Event.objects.filter(type="message.lost").count() == 1
