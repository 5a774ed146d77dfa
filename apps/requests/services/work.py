"""Work on tasks: claim, release, complete. And messages from outside that a run waits for."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import AlreadyClaimed, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.core.text import text_problem
from apps.outbox.models import Note
from apps.outbox.publish import NewEvent
from apps.requests import policies
from apps.requests.enums import Relation, RequestEvent
from apps.requests.facts import form_of
from apps.requests.forms import Form
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.services.effects import carry_out
from apps.requests.services.lifecycle import checked_comment, first_response
from apps.requests.services.writing import Write, begin_write, within
from apps.workflows.engine.definition import Outcome
from apps.workflows.engine.triggers import Begin, Complete, Message
from apps.workflows.enums import TaskStatus, WorkflowEvent
from apps.workflows.models import Task
from apps.workflows.services.running import Passage

LARGEST_PAYLOAD = 100_000


@transaction.atomic(savepoint=False)
def claim_task(task: Task, *, actor: User) -> Task:
    """The actor takes the task up. Claiming what one already has changes nothing.

    Raises NotPermitted unless it is offered to them, AlreadyClaimed if somebody else has it, TransitionNotAllowed
    once it has ended.
    """
    write, task = _begin(task, actor)
    if claim(write, task, actor=actor):
        write.finish()
    return task


def claim(write: Write, task: Task, *, actor: User) -> bool:
    """`claim_task` within a write; `task` as it is under the lock. False if the actor had it already."""
    if task.status == TaskStatus.CLAIMED and task.assignee_id == actor.pk:
        return False
    _demand_open(task)
    _demand_mine(task, actor)
    task.assignee, task.claimed_at, task.status = actor, write.at, TaskStatus.CLAIMED
    task.save(update_fields=["assignee", "claimed_at", "status"])
    write.request.assignee = actor
    write.concerns(f"user:{actor.pk}", Relation.ASSIGNEE)
    first_response(write)
    _tell(write, WorkflowEvent.TASK_CLAIMED, task)
    run = write.passage_of(task.visit.run_id)
    carry_out(write, Begin(visit=task.visit.number, instance=task.instance), run)
    return True


@transaction.atomic(savepoint=False)
def release_task(task: Task, *, actor: User) -> Task:
    """Gives a claimed task back to its team or role. Raises TransitionNotAllowed unless the actor has claimed it."""
    write, task = _begin(task, actor)
    release(write, task, actor=actor)
    write.finish()
    return task


def release(write: Write, task: Task, *, actor: User) -> None:
    """`release_task` within a write; `task` as it is under the lock."""
    if task.status != TaskStatus.CLAIMED or task.assignee_id != actor.pk or task.group_id is None:
        raise TransitionNotAllowed("Only the person who took a team's task up can give it back.")
    task.assignee, task.claimed_at, task.status = None, None, TaskStatus.OPEN
    task.save(update_fields=["assignee", "claimed_at", "status"])
    write.request.assignee = None
    _tell(write, WorkflowEvent.TASK_RELEASED, task)


@transaction.atomic(savepoint=False)
def complete_task(
    task: Task,
    *,
    outcome: Any = "done",
    data: Any = None,
    comment: Any = "",
    actor: User,
    at: datetime | None = None,
) -> Task:
    """Ends the task by one of its outcomes, and the run goes on. Completing an unclaimed task takes it up as well.

    `data` are the values of the form the task asks for; they go into the request's data. Raises InvalidInput for an
    outcome the task does not have, a missing comment or values that do not fit, NotPermitted if task or outcome are not
    for the actor, AlreadyClaimed, TransitionNotAllowed once it has ended.
    """
    write, task = _begin(task, actor, at=at)
    complete(write, task, outcome=outcome, data=data, comment=comment, actor=actor)
    write.finish()
    return task


def complete(
    write: Write, task: Task, *, outcome: Any = "done", data: Any = None, comment: Any = "", actor: User
) -> None:
    """`complete_task` within a write; `task` as it is under the lock."""
    text = checked_comment(comment)
    _demand_open(task)
    _demand_mine(task, actor)
    _check_outcome(_outcome(write, task, outcome), text, actor)
    _take_data(write, task, data)
    task.assignee = actor
    task.claimed_at = task.claimed_at or write.at
    task.status, task.outcome, task.ended_at = TaskStatus.DONE, outcome, write.at
    task.save(update_fields=["assignee", "claimed_at", "status", "outcome", "ended_at"])
    write.request.assignee = actor
    first_response(write)
    write.concerns(f"user:{actor.pk}", Relation.ASSIGNEE)
    _tell(write, WorkflowEvent.TASK_COMPLETED, task, note=write.note(text), visit=task.visit.number, outcome=outcome)
    ended = Complete(visit=task.visit.number, instance=task.instance, outcome=outcome)
    carry_out(write, ended, write.passage_of(task.visit.run_id))


def _take_data(write: Write, task: Task, data: Any) -> None:
    """The values of the task's form, into the request's data. Raises InvalidInput by field."""
    form = form_of_task(write, task)
    if form is None:
        if data:
            raise InvalidInput({"data": ["This task asks for no values."]})
        return
    values = form.accept({} if data is None else data)
    if values:
        write.request.data = {**write.request.data, **values}
        write.request.edited_by = write.actor
        of_step: dict[str, Any] = {"step": task.visit.step, **within(task.visit.run)}
        write.tell(RequestEvent.FIELDS_SET, role="assignee", fields=sorted(values), **of_step)


def form_of_task(write: Write, task: Task) -> Form | None:
    """The form that the task's step asks for, in the version the request is pinned to; None if it asks for none."""
    key = write.passage_of(task.visit.run_id).definition.step(task.visit.step).settings.get("form")
    return form_of(write.request.pins["forms"][key]) if key else None


@transaction.atomic(savepoint=False)
def send_message(
    request: Request, *, name: Any, key: Any = "", payload: Any = None, run: int | None = None, actor: User
) -> list[NewEvent]:
    """The outside world answers a wait of a run (the request's own, if none is named): wakes the oldest matching one,
    is kept where the workflow says so, or is lost. A `payload` goes into the field that the wait names.

    Returns what was told, so that the sender can see which. Raises InvalidInput for a payload that does not fit,
    NotVisible for a run of another request, TransitionNotAllowed once the request or the run has ended.
    """
    write = begin_write(request.pk, actor=actor)
    message(write, name=name, key=key, payload=payload, run=run, actor=actor)
    write.finish()
    return write.events


def message(
    write: Write, *, name: Any, key: Any = "", payload: Any = None, run: int | None = None, actor: User
) -> None:
    """`send_message` within a write."""
    for label, value in (("name", name), ("key", key)):
        if problem := text_problem(value, max_length=200):
            raise InvalidInput({label: [problem]})
    policies.require(actor, Act.SIGNAL, write.request)
    if not write.request.is_open:
        raise TransitionNotAllowed("The request has ended; nothing waits for a message.")
    moving = write.run if run is None else write.open_run(run)
    payload = _checked_payload(write, moving, name, payload)
    carry_out(write, Message(name=name, key=key, payload=payload), moving)


def _checked_payload(write: Write, run: Passage, name: str, payload: Any) -> Any:
    """The payload, which fits every field that a wait for this message would put it into. Raises InvalidInput."""
    waits = (step.settings["for"] for step in run.definition.steps if step.kind == "wait")
    fields = sorted({wait["into"] for wait in waits if wait.get("message") == name and "into" in wait})
    if not fields:
        if payload is not None:
            raise InvalidInput({"payload": ["No step that waits for this message takes a payload."]})
        return None
    if len(json.dumps(payload)) > LARGEST_PAYLOAD:
        raise InvalidInput({"payload": [f"This is larger than {LARGEST_PAYLOAD:,} characters of JSON."]})
    form = form_of(write.request.pins["form"])
    try:
        for field in fields:
            form.accept_computed({field: payload})
    except InvalidInput as refusal:
        raise InvalidInput({"payload": [text for texts in refusal.errors.values() for text in texts]}) from refusal
    return payload


def _begin(task: Task, actor: User, *, at: datetime | None = None) -> tuple[Write, Task]:
    """The write, and the task as it is under the lock."""
    write = begin_write(task.stream_id, actor=actor, at=at)
    fresh = Task.objects.select_related("visit__run").get(pk=task.pk)
    return write, fresh


def _tell(write: Write, kind: WorkflowEvent, task: Task, *, note: Note | None = None, **more: Any) -> None:
    of_task: dict[str, Any] = {"task": task.pk, "step": task.visit.step, **within(task.visit.run)}
    write.tell(kind, role="assignee", note=note, **of_task, **more)


def _demand_open(task: Task) -> None:
    if task.status not in (TaskStatus.OPEN, TaskStatus.CLAIMED):
        raise TransitionNotAllowed("This task has already ended.")


def _demand_mine(task: Task, actor: User) -> None:
    if policies.may_take(actor, task):
        return
    if task.status == TaskStatus.CLAIMED and task.group_id in actor.group_ids:
        raise AlreadyClaimed
    raise NotPermitted("This task is not for you.")


def _outcome(write: Write, task: Task, outcome: Any) -> Outcome:
    run = write.passage_of(task.visit.run_id)
    known = {known.id: known for known in run.definition.step(task.visit.step).work_outcomes}
    if not isinstance(outcome, str) or outcome not in known:
        raise InvalidInput({"outcome": [f"This must be one of {', '.join(known)}."]})
    return known[outcome]


def _check_outcome(outcome: Outcome, comment: str, actor: User) -> None:
    if not policies.has_outcome_right(actor, outcome.by):
        raise NotPermitted(f"{outcome.label} is kept for others.")
    if outcome.comment == "required" and not comment:
        raise InvalidInput({"comment": ["Please say why."]})
