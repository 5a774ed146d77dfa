"""Workflows that go on by themselves for ever: the write is kept, the run rests in an incident after 100 steps."""

from __future__ import annotations

import pytest

from apps.approvals.models import Approval
from apps.outbox.models import Incident
from apps.requests.models import Request
from apps.requests.services.operations import retry_incident, skip_step
from apps.requests.services.work import complete_task
from apps.workflows.engine.marking import Marking
from apps.workflows.models import KeyClaim, StepVisit, Task
from tests.factories import MANAGER_LEVEL, Json, line_document
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
TASK: Json = {"id": "begin", "kind": "task", "name": "Begin", "assign": {"team": "it"}}
CHOICE: Json = {"id": "which", "kind": "choice", "name": "Which?"}
NOBODY: Json = {
    "levels": [{**MANAGER_LEVEL, "when": "request.data.reason == 'never'"}],
    "fallback": [{"role": "administrator"}],
    "return": "never",
}
APPROVAL: Json = {"id": "ask", "kind": "approval", "name": "Ask", "policy": NOBODY}
SAID = "Step {}: The workflow went on by itself for more than 100 steps and was stopped."


def looping(step: Json, **way: str) -> Json:
    """A task, then the step again and again until the reason says stop."""
    document = line_document("loop", TASK, step, CHOICE)
    document["transitions"][2] |= way
    document["transitions"][3]["when"] = "request.data.reason == 'stop'"
    document["transitions"].append({"from": "which", "to": step["id"], "otherwise": True})
    return document


def begun(world, document: Json) -> Request:
    """The request whose task has just been completed: everything else goes on by itself."""
    request = submit(world, document)
    complete_task(Task.objects.get(), actor=world.worker)
    return fresh(request)


def only_incident() -> Incident:
    return Incident.objects.get(resolved_at=None)


def let_end(request: Request) -> None:
    Request.objects.filter(pk=request.pk).update(data={"reason": "stop"})


def where(request: Request) -> Json:
    (visit,) = Marking.from_json(request.run.marking).open_visits()
    assert visit.incident
    return {"run": request.run_id, "visit": visit.id}


def test_approvals_that_ask_nobody_in_a_loop_end_in_an_incident_and_the_task_stays_done(world):
    document = looping(APPROVAL)
    document["transitions"].append({"from": "ask", "to": "end", "outcome": "rejected"})
    request = begun(world, document)
    assert Task.objects.get().status == "done"
    assert (request.status, only_incident().detail) == ("in_progress", SAID.format("ask"))
    assert Approval.objects.count() == 100
    assert set(Approval.objects.values_list("status", flat=True)) == {"approved"}
    assert StepVisit.objects.filter(step="ask", ended_at=None).count() == 1
    assert_agreement(request)


def test_trying_again_goes_on_for_another_hundred_or_to_the_end(world):
    document = looping(APPROVAL)
    document["transitions"].append({"from": "ask", "to": "end", "outcome": "rejected"})
    request = begun(world, document)
    retry_incident(only_incident(), reason="again", actor=world.administrator)
    assert (only_incident().detail, fresh(request).status) == (SAID.format("ask"), "in_progress")
    let_end(request)
    retry_incident(only_incident(), reason="again", actor=world.administrator)
    assert fresh(request).status == "completed"
    assert Incident.objects.filter(resolved_at=None).count() == 0
    assert_agreement(fresh(request))


def test_the_stopped_approval_can_be_skipped(world):
    document = looping(APPROVAL)
    document["transitions"].append({"from": "ask", "to": "end", "outcome": "rejected"})
    request = begun(world, document)
    skip_step(request, **where(request), outcome="rejected", reason="enough", actor=world.administrator)
    assert fresh(request).status == "completed"
    assert_agreement(fresh(request))


def test_a_failed_way_that_leads_back_ends_in_an_incident_too(world):
    comment = {"id": "say", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "again"}}
    document = looping(comment)
    document["transitions"].append({"from": "say", "to": "which", "outcome": "failed"})
    request = begun(world, document)
    assert (request.status, only_incident().detail) == ("in_progress", SAID.format("say"))
    assert StepVisit.objects.filter(step="say", outcome="failed").count() == 100
    assert_agreement(request)


def test_steps_with_a_key_and_without_instances_end_in_an_incident_out_of_line(world):
    request = begun(world, looping({**TASK, "id": "each", "count": 0, "exclusive": "'asset'"}))
    assert only_incident().detail == SAID.format("each")
    assert KeyClaim.objects.filter(ended_at=None).count() == 0
    let_end(request)
    retry_incident(only_incident(), reason="again", actor=world.administrator)
    assert fresh(request).status == "completed"
    assert KeyClaim.objects.filter(ended_at=None).count() == 0
    assert_agreement(fresh(request))
