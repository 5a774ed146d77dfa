"""What operators do about incidents, and what those who work on a request do about instances.

Each is a verb of its own; a repair has a reason, told in the request's history.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import Approval
from apps.core.errors import InvalidInput, TransitionNotAllowed
from apps.outbox.enums import IncidentEvent
from apps.outbox.incidents import resolve_incidents
from apps.outbox.models import Incident, Note
from apps.requests import policies
from apps.requests.enums import RequestEvent
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.services.approving import take_over, terms_of
from apps.requests.services.effects import carry_out, go_on
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import Write, begin_write
from apps.workflows.engine.marking import Visit
from apps.workflows.engine.triggers import (
    AddInstance,
    CancelVisit,
    CloseInstances,
    FinishInstances,
    Move,
    Retry,
    Skip,
)
from apps.workflows.enums import WorkflowEvent
from apps.workflows.models import WorkflowRun
from apps.workflows.services.running import Passage

LARGEST_ITEM = 10_000
WORKFLOW, NOBODY_ASKED, DEAD_LETTER = "workflow", "approval_without_approver", "dead_letter"


@transaction.atomic(savepoint=False)
def retry_incident(incident: Incident, *, reason: str, actor: User) -> Incident:
    """Resolves the incident and lets the failed step go on, or asks again; failing again opens a new incident.

    Other kinds try again by themselves (sweeps) or need their cause mended; they are only resolved. A dead letter is
    delivered again on its own page. Raises NotPermitted unless the actor is an administrator, TransitionNotAllowed if
    it is resolved already, InvalidInput without a reason.
    """
    text = checked_comment(reason, required=True, field="reason")
    write = begin_write(incident.stream_id, actor=actor)
    policies.require(actor, Act.REPAIR, write.request)
    fresh = Incident.objects.get(pk=incident.pk)
    if fresh.status != Incident.Status.OPEN or fresh.kind == DEAD_LETTER:
        raise TransitionNotAllowed("This incident cannot be retried here, or is already resolved.")
    note, who = write.note(text), write.actor_name
    write.events += resolve_incidents(
        write.request.stream, kind=fresh.kind, key=fresh.key, actor=who, at=write.at, note=note
    )
    if fresh.kind == WORKFLOW:
        _retry_steps(write, fresh)
    elif fresh.kind == NOBODY_ASKED:
        _ask_again(write, fresh)
    write.finish()
    return fresh


@transaction.atomic(savepoint=False)
def skip_step(
    request: Request,
    *,
    run: int,
    visit: int,
    outcome: Any = None,
    instance: int | None = None,
    reason: Any,
    actor: User,
) -> Request:
    """Lets a visit in incident go on as if its step had ended by the outcome (its first, if none is named).

    Raises NotPermitted unless the actor may repair, TransitionNotAllowed if it is not in incident or cannot be left
    so, InvalidInput without a reason.
    """
    write, moving, note = _begin_repair(request, run, reason, actor)
    step = _step_of(moving, visit)
    write.tell(RequestEvent.STEP_SKIPPED, note=note, step=step, visit=visit, run=moving.run.n)
    carry_out(write, Skip(visit=visit, instance=instance, outcome=outcome), moving)
    return write.finish()


@transaction.atomic(savepoint=False)
def move_token(request: Request, *, run: int, token: int, to: Any, reason: Any, actor: User) -> Request:
    """Takes a token from where it is, with its work, and puts it at another step.

    Raises as `skip_step`; TransitionNotAllowed for a token that is gone and a step that does not exist.
    """
    write, moving, note = _begin_repair(request, run, reason, actor)
    before = next((one.step for one in moving.marking.tokens if one.id == token), "")
    write.tell(RequestEvent.TOKEN_MOVED, note=note, step=to, source=before, run=moving.run.n)
    carry_out(write, Move(token=token, to=to), moving)
    return write.finish()


@transaction.atomic(savepoint=False)
def cancel_visit(request: Request, *, run: int, visit: int, reason: Any, actor: User) -> Request:
    """Withdraws one visit with its token; everything else goes on. A run left with nothing that moves is an incident.

    Raises as `skip_step`.
    """
    write, moving, note = _begin_repair(request, run, reason, actor)
    step = _step_of(moving, visit)
    write.tell(RequestEvent.VISIT_CANCELLED, note=note, step=step, visit=visit, run=moving.run.n)
    carry_out(write, CancelVisit(visit=visit), moving)
    return write.finish()


@transaction.atomic(savepoint=False)
def add_instance(request: Request, *, run: int, visit: int, item: Any = None, actor: User) -> Request:
    """One more instance of an open-ended step; `item` is JSON of at most 10,000 characters.

    Raises NotPermitted unless the actor works on the request, TransitionNotAllowed where the step takes no more.
    """
    if len(json.dumps(item)) > LARGEST_ITEM:
        raise InvalidInput({"item": [f"This is larger than {LARGEST_ITEM:,} characters of JSON."]})
    return _of_instances(request, run, AddInstance(visit=visit, item=item), WorkflowEvent.INSTANCE_ADDED, actor)


@transaction.atomic(savepoint=False)
def close_instances(request: Request, *, run: int, visit: int, actor: User) -> Request:
    """No more instances will be added; the step ends when all are complete. Raises as `add_instance`."""
    return _of_instances(request, run, CloseInstances(visit=visit), WorkflowEvent.INSTANCES_CLOSED, actor)


@transaction.atomic(savepoint=False)
def finish_instances(request: Request, *, run: int, visit: int, actor: User) -> Request:
    """Withdraws the unfinished instances and ends the step with what was done. Raises as `add_instance`."""
    return _of_instances(request, run, FinishInstances(visit=visit), WorkflowEvent.INSTANCES_FINISHED, actor)


def _of_instances(
    request: Request,
    run: int,
    trigger: AddInstance | CloseInstances | FinishInstances,
    told: WorkflowEvent,
    actor: User,
) -> Request:
    write = begin_write(request.pk, actor=actor)
    policies.require(actor, Act.SIGNAL, write.request)
    moving = write.open_run(run)
    write.tell(told, step=_step_of(moving, trigger.visit), visit=trigger.visit, run=moving.run.n)
    carry_out(write, trigger, moving)
    return write.finish()


def _begin_repair(request: Request, run: int, reason: Any, actor: User) -> tuple[Write, Passage, Note | None]:
    text = checked_comment(reason, required=True, field="reason")
    write = begin_write(request.pk, actor=actor)
    policies.require(actor, Act.REPAIR, write.request)
    return write, write.open_run(run), write.note(text)


def _step_of(run: Passage, visit: int) -> str:
    found = run.marking.visit(visit)
    if found is None:
        raise TransitionNotAllowed(f"Visit {visit} is not open: it has ended or was withdrawn.")
    return found.step


def _ask_again(write: Write, incident: Incident) -> None:
    approval = Approval.objects.select_related("visit").get(pk=int(incident.key.split(":")[1]))
    if approval.status != ApprovalStatus.PENDING:
        return
    policy, people = terms_of(write, approval)
    outcome = approvals.keep_answerable(approval, policy=policy, people=people)
    if any(event.type == IncidentEvent.OPENED for event in outcome.events):
        raise TransitionNotAllowed("There are still too few active people who could be asked.")
    take_over(write, outcome, visit=approval.visit.number, run=write.passage_of(approval.visit.run_id))
    go_on(write)


def _retry_steps(write: Write, incident: Incident) -> None:
    """Lets everything in incident at the incident's step, in the run that its key names, try again. Raises
    TransitionNotAllowed for a run that is stuck: that is no matter of trying.
    """
    number, step = incident.key.split(":", 2)[1:]
    run = WorkflowRun.objects.filter(stream=write.request.stream, n=int(number)).values_list("pk", flat=True).first()
    if run is None:
        return
    moving = write.passage_of(run)
    if moving.is_stuck:
        raise TransitionNotAllowed("Nothing can move by itself here. Move a token to another step.")
    for visit in moving.marking.open_visits():
        if visit.step == step:
            for instance in _instances_to_retry(visit):
                carry_out(write, Retry(visit=visit.id, instance=instance), moving)


def _instances_to_retry(visit: Visit) -> list[int | None]:
    parts: list[int | None] = [part.index for part in visit.instances or () if part.incident]
    return [None, *parts] if visit.incident else parts
