"""From the verbs of a mapping to the services: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apps.accounts.models import User
from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import Approval
from apps.approvals.selectors import open_seats
from apps.core.errors import TransitionNotAllowed
from apps.requests.eventlog.mapping import Call, Way
from apps.requests.policies import may_take
from apps.requests.services import comments, decisions, lifecycle, work
from apps.requests.services.writing import Write
from apps.workflows.models import Task

Settings = Mapping[str, Any]


def make(call: Call, write: Write, way: Way, settings: Settings, actor: User) -> None:
    """Carries one call out on a request that exists. `settings` are the call's, filled. Raises DomainError."""
    CALLS[call.verb](write, way, settings, actor)


def open_steps(write: Write) -> tuple[str, ...]:
    """The ids of the steps that are open, oldest visit first; none of a draft."""
    if write.request.run is None and write.passage is None:
        return ()
    return tuple(dict.fromkeys(visit.step for visit in write.run.marking.open_visits()))


def is_possible(write: Write, way: Way) -> bool:
    """Whether the way fits where the request is: its state, its open steps, and an item of work to which it applies."""
    if way.statuses and write.request.status not in way.statuses:
        return False
    if way.at and way.at.isdisjoint(open_steps(write)):
        return False
    return bool(way.first) or _fits(write, way)


def _fits(write: Write, way: Way) -> bool:
    if way.call.verb == "submit":
        return write.request.status == "draft"
    if way.call.verb == "save":
        return False
    steps = [step for step in open_steps(write) if not way.at or step in way.at]
    kinds = {step: write.run.definition.step(step) for step in steps}
    if way.call.verb == "complete":
        outcome = way.call.settings.get("outcome", "done")
        return any(step.kind == "task" and step.outcome(outcome) for step in kinds.values())
    wanted = {"claim": "task", "release": "task", "decide": "approval"}.get(way.call.verb)
    return wanted is None or any(step.kind == wanted for step in kinds.values())


def _submit(write: Write, way: Way, settings: Settings, actor: User) -> None:
    lifecycle.submit(write, actor=actor)


def _save(write: Write, way: Way, settings: Settings, actor: User) -> None:
    raise TransitionNotAllowed("The request is there already.")


def _claim(write: Write, way: Way, settings: Settings, actor: User) -> None:
    work.claim(write, _task(write, way, actor), actor=actor)


def _release(write: Write, way: Way, settings: Settings, actor: User) -> None:
    work.release(write, _task(write, way, actor), actor=actor)


def _complete(write: Write, way: Way, settings: Settings, actor: User) -> None:
    outcome = settings.get("outcome", "done")
    task = _task(write, way, actor, outcome=outcome)
    work.complete(write, task, outcome=outcome, comment=settings.get("comment", ""), actor=actor)


def _decide(write: Write, way: Way, settings: Settings, actor: User) -> None:
    approval = _approval(write, way, actor)
    verdict, comment = settings["verdict"], settings.get("comment", "")
    decisions.decide(write, approval, list(open_seats(approval.pk)), verdict=verdict, comment=comment, actor=actor)


def _hold(write: Write, way: Way, settings: Settings, actor: User) -> None:
    lifecycle.hold(write, reason=settings.get("reason") or "Imported", actor=actor)


def _resume(write: Write, way: Way, settings: Settings, actor: User) -> None:
    lifecycle.resume(write, actor=actor)


def _cancel(write: Write, way: Way, settings: Settings, actor: User) -> None:
    lifecycle.cancel(write, reason=settings.get("reason", ""), actor=actor)


def _reopen(write: Write, way: Way, settings: Settings, actor: User) -> None:
    lifecycle.reopen(write, reason=settings.get("reason") or "Imported", actor=actor)


def _comment(write: Write, way: Way, settings: Settings, actor: User) -> None:
    comments.comment(write, text=settings.get("text", ""), internal=settings.get("internal", False), actor=actor)


def _message(write: Write, way: Way, settings: Settings, actor: User) -> None:
    work.message(write, name=settings.get("name", ""), key=settings.get("key", ""), actor=actor)


CALLS: Mapping[str, Callable[[Write, Way, Settings, User], None]] = {
    "save": _save,
    "submit": _submit,
    "claim": _claim,
    "release": _release,
    "complete": _complete,
    "decide": _decide,
    "hold": _hold,
    "resume": _resume,
    "cancel": _cancel,
    "reopen": _reopen,
    "comment": _comment,
    "message": _message,
}


def _task(write: Write, way: Way, actor: User, *, outcome: str | None = None) -> Task:
    """The open task that is meant: of the way's steps, with the outcome; of several one that the actor may do.

    Raises TransitionNotAllowed if there is none.
    """
    found = [
        task
        for task in _open_tasks(write)
        if (not way.at or task.visit.step in way.at)
        and (outcome is None or write.run.definition.step(task.visit.step).outcome(outcome))
    ]
    if not found:
        raise TransitionNotAllowed("There is no such open task.")
    return next((task for task in found if may_take(actor, task)), found[0])


def _open_tasks(write: Write) -> list[Task]:
    """The tasks of the open visits, oldest first; those of earlier writes are read once."""
    steps = {visit.id: write.run.definition.step(visit.step) for visit in write.run.marking.open_visits()}
    numbers = [number for number, step in steps.items() if step.kind == "task"]
    missing = [number for number in numbers if number not in write.tasks]
    if missing:
        read = Task.objects.filter(visit__run=write.run.run, visit__number__in=missing)
        write.tasks |= {task.visit.number: task for task in read.select_related("visit__run", "team", "group")}
    return [write.tasks[number] for number in numbers if number in write.tasks]


def _approval(write: Write, way: Way, actor: User) -> Approval:
    """The oldest pending approval of the way's steps; of several one at which the actor is asked."""
    pending = Approval.objects.filter(stream=write.request.stream, status=ApprovalStatus.PENDING)
    found = pending.select_related("visit").order_by("id")
    rows = list(found.filter(step__in=way.at) if way.at else found)
    if not rows:
        raise TransitionNotAllowed("There is no such open approval.")
    asked = [row for row in rows if any(seat.user_id == actor.pk for seat in open_seats(row.pk))] if rows[1:] else rows
    return (asked or rows)[0]
