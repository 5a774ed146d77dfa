"""Tasks and timers that a plan opens, and all work items that it takes back. The visits are written by then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.accounts import selectors as people
from apps.accounts.enums import Role
from apps.accounts.models import User
from apps.accounts.services import ensure_role
from apps.approvals import services as approvals
from apps.approvals.selectors import resolve_approvers
from apps.calendars.business_time import add
from apps.calendars.selectors import calendar_of
from apps.outbox.incidents import close_incidents, open_incident
from apps.outbox.publish import NewEvent
from apps.requests.enums import Relation
from apps.requests.services.work_items import concerned, row_of, seen_at
from apps.requests.services.writing import Write, within
from apps.workflows.engine import effects
from apps.workflows.engine.definition import Step
from apps.workflows.engine.guards import GuardFailed, evaluate
from apps.workflows.engine.triggers import Complete
from apps.workflows.enums import TaskStatus, TimerKind, WorkflowEvent
from apps.workflows.models import Task, Timer
from apps.workflows.services.running import Passage


def open_tasks(write: Write, run: Passage, opened: Sequence[effects.OpenTask]) -> None:
    """Opens tasks, one row each, in one statement. Whom a step's tasks are for is looked up once, unless an expression
    says it for each instance.
    """
    tasks = [_new_task(write, run, effect, assigned) for effect, assigned in _assignments(write, run, opened)]
    for effect, task in zip(opened, Task.objects.bulk_create(tasks), strict=True):
        if effect.instance is None and run is write.run:
            write.tasks[effect.visit] = task
        _hand_to(write, task)
        write.tell_by_itself(
            WorkflowEvent.TASK_OPENED,
            step=effect.step,
            visit=effect.visit,
            task=task.pk,
            assignee=task.assignee_id,
            group=task.group_id,
            team=task.team_id,
            **within(run.run),
        )


def _new_task(write: Write, run: Passage, effect: effects.OpenTask, assigned: Mapping[str, Any]) -> Task:
    return Task(
        stream=write.request.stream,
        visit=row_of(run, effect.visit),
        instance=effect.instance,
        item=effect.item,
        name=run.definition.step(effect.step).name,
        opened_at=write.at,
        **assigned,
    )


def _assignments(
    write: Write, run: Passage, opened: Sequence[effects.OpenTask]
) -> Iterator[tuple[effects.OpenTask, dict[str, Any]]]:
    known: dict[str, dict[str, Any]] = {}
    for effect in opened:
        step = run.definition.step(effect.step)
        if "cel" in step.settings.get("assign", {}):
            seen = seen_at(write, run, visit=effect.visit, instance=effect.instance)
            yield effect, _assignment(write, step, seen)
            continue
        if step.id not in known:
            known[step.id] = _assignment(write, step, {})
        yield effect, known[step.id]


def _hand_to(write: Write, task: Task) -> None:
    """Whose the request is from now on, and who may see it for that. The requester's own task gives it to nobody."""
    if task.group_id is not None:
        write.request.team, write.request.assignee = task.team, None
        write.concerns(f"group:{task.group_id}", Relation.TEAM)
        return
    write.concerns(f"user:{task.assignee_id}", Relation.ASSIGNEE)
    if task.assignee_id not in (write.request.requester_id, write.request.requested_for_id):
        write.request.assignee = task.assignee


def _assignment(write: Write, step: Step, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Whom the task is for. If its rule names nobody, the administrators get it and an incident opens."""
    rule: Mapping[str, Any] = step.settings.get("assign", {})
    found = assigned_to(rule, write, seen)
    if found:
        return found
    detail = f"Step {step.id}: {dict(rule)} names nobody active."
    key = f"task:{step.id}"
    write.events += open_incident(
        write.request.stream, kind="task_without_assignee", key=key, detail=detail, at=write.at
    )
    return {"group": ensure_role(Role.ADMINISTRATOR)}


def assigned_to(rule: Mapping[str, Any], write: Write, seen: Mapping[str, Any]) -> dict[str, Any] | None:
    """The columns of whoever a rule names: an active person, a staffed team or role; None if there is nobody."""
    if rule.get("requester"):
        return {"assignee": write.request.requester} if write.request.requester.is_active else None
    if "team" in rule:
        team = (write.cast and write.cast.team(rule["team"])) or people.staffed_team(rule["team"])
        return {"team": team, "group": team.group} if team else None
    if "role" in rule:
        role = (write.cast and write.cast.role_group(rule["role"])) or people.staffed_role(rule["role"])
        return {"group": role} if role else None
    if "field" in rule or "cel" in rule:
        user = _person_named(rule, write, seen)
        return {"assignee": user} if user else None
    found = resolve_approvers([rule], people=concerned(write)) if rule else []
    return {"assignee": found[0].user} if found else None


def _person_named(rule: Mapping[str, Any], write: Write, seen: Mapping[str, Any]) -> User | None:
    """The active person whose user name a field holds or an expression gives; None also where it fails."""
    if "field" in rule:
        name = write.request.data.get(rule["field"])
    else:
        try:
            name = evaluate(rule["cel"], seen, write.at)
        except GuardFailed:
            return None
    return User.objects.filter(username=name, is_active=True).first() if isinstance(name, str) else None


def open_timers(write: Write, run: Passage, opened: Sequence[effects.OpenTimer]) -> None:
    """Opens timers, one row each, in one statement."""
    Timer.objects.bulk_create(_new_timer(write, run, effect) for effect in opened)


def _new_timer(write: Write, run: Passage, effect: effects.OpenTimer) -> Timer:
    due_at = _due_at(write, effect)
    return Timer(
        stream=write.request.stream,
        run=run.run,
        visit=effect.visit,
        instance=effect.instance,
        deadline=effect.deadline or "",
        kind=TimerKind.WAIT if effect.deadline is None else TimerKind.DEADLINE,
        due_at=due_at,
        check_at=due_at,
    )


def _due_at(write: Write, effect: effects.OpenTimer) -> datetime:
    if effect.until is not None:
        return effect.until
    if effect.business_seconds is not None:
        calendar = calendar_of(write.request.pins["calendars"][effect.calendar])
        return add(calendar, write.at, effect.business_seconds)
    return write.at + timedelta(seconds=effect.seconds or 0)


def withdraw_task(write: Write, run: Passage, effect: effects.WithdrawTask) -> None:
    open_ones = [TaskStatus.OPEN, TaskStatus.CLAIMED]
    tasks = Task.objects.filter(visit__run=run.run, visit__number=effect.visit, status__in=open_ones)
    if effect.instance is not None:
        tasks = tasks.filter(instance=effect.instance)
    if tasks.update(status=TaskStatus.WITHDRAWN, ended_at=write.at):
        write.tell_by_itself(WorkflowEvent.TASK_WITHDRAWN, step=effect.step, visit=effect.visit, **within(run.run))


def withdraw_approval(write: Write, run: Passage, effect: effects.WithdrawApproval) -> None:
    """Takes the rounds back, and the calls for an operator about them. One that has ended in this write moves nothing
    any more.
    """
    write.triggers = [
        (moving, trigger)
        for moving, trigger in write.triggers
        if moving is not run or not isinstance(trigger, Complete) or trigger.visit != effect.visit
    ]
    visit = run.run.visits.filter(number=effect.visit).first()
    if visit is not None:
        told = approvals.withdraw_approval(visit, instance=effect.instance, at=write.at)
        write.events += [*told, *_no_call_about(write, told)]
        timers = Timer.objects.filter(run=run.run, visit=effect.visit, kind=TimerKind.APPROVAL, closed_at=None)
        (timers if effect.instance is None else timers.filter(instance=effect.instance)).update(closed_at=write.at)


def _no_call_about(write: Write, told: Sequence[NewEvent]) -> list[NewEvent]:
    """Closes the incidents of the approvals that these events say have ended: nobody needs to answer them any more."""
    ended = tuple(f"approval:{event.data['approval']}:" for event in told)
    if not ended:
        return []
    return close_incidents(
        write.request.stream,
        about=lambda incident: incident.key.startswith(ended),
        actor=write.actor_name,
        at=write.at,
    )


def withdraw_timer(write: Write, run: Passage, effect: effects.WithdrawTimer) -> None:
    """Closes the timers. Where instances are left over the deadlines have ended, but not what those wait for."""
    timers = Timer.objects.filter(run=run.run, visit=effect.visit, closed_at=None)
    if is_left_over(run, effect.visit):
        timers = timers.filter(kind=TimerKind.DEADLINE)
    if effect.instance is not None:
        timers = timers.filter(instance=effect.instance)
    timers.update(closed_at=write.at)


def is_left_over(run: Passage, visit: int) -> bool:
    """Whether the step has ended and only instances that lead nowhere are left of the visit."""
    found = run.marking.visit(visit)
    return found is not None and found.left
