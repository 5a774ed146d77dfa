"""Work on tasks: claim, release, complete. And messages from outside that a run waits for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import AlreadyClaimed, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.core.text import text_problem
from apps.outbox.publish import NewEvent
from apps.requests import policies
from apps.requests.enums import Relation
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.services.effects import carry_out
from apps.requests.services.lifecycle import checked_comment, first_response
from apps.requests.services.writing import Write, begin_write
from apps.workflows.engine.definition import Outcome
from apps.workflows.engine.triggers import Begin, Complete, Message
from apps.workflows.enums import TaskStatus, WorkflowEvent
from apps.workflows.models import Task


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
    write.tell(WorkflowEvent.TASK_CLAIMED, role="assignee", task=task.pk, step=task.visit.step)
    carry_out(write, Begin(visit=task.visit.number))
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
    write.tell(WorkflowEvent.TASK_RELEASED, role="assignee", task=task.pk, step=task.visit.step)


@transaction.atomic(savepoint=False)
def complete_task(
    task: Task, *, outcome: Any = "done", comment: Any = "", actor: User, at: datetime | None = None
) -> Task:
    """Ends the task by one of its outcomes, and the run goes on. Completing an unclaimed task takes it up as well.

    Raises InvalidInput for an outcome the task does not have or a missing comment, NotPermitted if task or outcome
    are not for the actor, AlreadyClaimed, TransitionNotAllowed once it has ended.
    """
    write, task = _begin(task, actor, at=at)
    complete(write, task, outcome=outcome, comment=comment, actor=actor)
    write.finish()
    return task


def complete(write: Write, task: Task, *, outcome: Any = "done", comment: Any = "", actor: User) -> None:
    """`complete_task` within a write; `task` as it is under the lock."""
    text = checked_comment(comment)
    _demand_open(task)
    _demand_mine(task, actor)
    _check_outcome(_outcome(write, task, outcome), text, actor)
    task.assignee = actor
    task.claimed_at = task.claimed_at or write.at
    task.status, task.outcome, task.ended_at = TaskStatus.DONE, outcome, write.at
    task.save(update_fields=["assignee", "claimed_at", "status", "outcome", "ended_at"])
    write.request.assignee = actor
    first_response(write)
    write.concerns(f"user:{actor.pk}", Relation.ASSIGNEE)
    write.tell(
        WorkflowEvent.TASK_COMPLETED,
        role="assignee",
        note=write.note(text),
        task=task.pk,
        step=task.visit.step,
        visit=task.visit.number,
        outcome=outcome,
    )
    carry_out(write, Complete(visit=task.visit.number, outcome=outcome))


@transaction.atomic(savepoint=False)
def send_message(request: Request, *, name: Any, key: Any = "", actor: User) -> list[NewEvent]:
    """The outside world answers a wait: wakes the oldest matching one, is kept where the workflow says so, or is lost.

    Returns what was told, so that the sender can see which.
    """
    write = begin_write(request.pk, actor=actor)
    message(write, name=name, key=key, actor=actor)
    write.finish()
    return write.events


def message(write: Write, *, name: Any, key: Any = "", actor: User) -> None:
    """`send_message` within a write."""
    for label, value in (("name", name), ("key", key)):
        if problem := text_problem(value, max_length=200):
            raise InvalidInput({label: [problem]})
    policies.require(actor, Act.SIGNAL, write.request)
    if not write.request.is_open:
        raise TransitionNotAllowed("The request has ended; nothing waits for a message.")
    carry_out(write, Message(name=name, key=key))


def _begin(task: Task, actor: User, *, at: datetime | None = None) -> tuple[Write, Task]:
    """The write, and the task as it is under the lock."""
    write = begin_write(task.stream_id, actor=actor, at=at)
    fresh = Task.objects.select_related("visit__run").get(pk=task.pk)
    return write, fresh


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
    known = {known.id: known for known in write.run.definition.step(task.visit.step).work_outcomes}
    if not isinstance(outcome, str) or outcome not in known:
        raise InvalidInput({"outcome": [f"This must be one of {', '.join(known)}."]})
    return known[outcome]


def _check_outcome(outcome: Outcome, comment: str, actor: User) -> None:
    if not policies.has_outcome_right(actor, outcome.by):
        raise NotPermitted(f"{outcome.label} is kept for others.")
    if outcome.comment == "required" and not comment:
        raise InvalidInput({"comment": ["Please say why."]})
