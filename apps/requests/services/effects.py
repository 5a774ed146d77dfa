"""Where engine effects are carried out: one table from effect to the service that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from apps.accounts import selectors as people
from apps.accounts.enums import Role
from apps.accounts.services import ensure_role
from apps.approvals import services as approvals
from apps.approvals.quorum import Policy, parse_policy
from apps.approvals.selectors import Concerned, policy_of, resolve_approvers
from apps.calendars.business_time import add
from apps.calendars.selectors import calendar_of
from apps.core.errors import InvalidInput, Misconfigured
from apps.outbox.incidents import open_incident
from apps.requests.enums import Relation, RequestEvent
from apps.requests.facts import form_of, pinned_facts
from apps.requests.models import Comment
from apps.requests.services.writing import Write
from apps.workflows.engine import effects
from apps.workflows.engine.definition import Step
from apps.workflows.engine.guards import holds
from apps.workflows.engine.planner import TraceEntry, TraceKind
from apps.workflows.engine.triggers import ActionDone, ActionFailed, Complete, TimerFired, Trigger
from apps.workflows.enums import TaskStatus, TimerKind, WorkflowEvent
from apps.workflows.models import Task, Timer
from apps.workflows.selectors import definition_of

MOST_MOVES = 100


def carry_out(write: Write, trigger: Trigger) -> None:
    """Moves the run by the trigger and by everything that follows from it at once, then opens what is left open.

    Effects that end by themselves (set fields, comment, an approval no level of which applies) give the next trigger.
    Raises TransitionNotAllowed for an impossible trigger, Misconfigured for a workflow that goes on by itself for more
    than 100 of them: then nothing of it happened, and the run stays where it was.
    """
    write.triggers.append(trigger)
    for _ in range(MOST_MOVES):
        if write.triggers:
            _move(write, write.triggers.pop(0))
        elif write.openings:
            _open_all(write)
        else:
            return
    raise Misconfigured(f"The workflow {write.run.definition.name!r} loops by itself.")


def fire(write: Write, timer: Timer) -> None:
    """Fires a timer that is due, once; the run goes on."""
    timer.fired, timer.closed_at = True, write.at
    timer.save(update_fields=["fired", "closed_at"])
    carry_out(write, TimerFired(visit=timer.visit))


def _move(write: Write, trigger: Trigger) -> None:
    planned = write.run.move(trigger, pinned_facts(write.request))
    for entry in planned.trace:
        _tell(write, entry)
    for effect in planned.effects:
        EFFECTS[type(effect)](write, effect)


def _open_all(write: Write) -> None:
    """Work items refer to their visits, so the visits are written first."""
    write.run.save_visits()
    openings, write.openings = write.openings, []
    for effect in openings:
        OPENINGS[type(effect)](write, effect)


def _tell(write: Write, entry: TraceEntry) -> None:
    step = write.run.definition.step(entry.step) if entry.step else None
    kind = _TOLD.get((entry.kind, step.kind if step else ""))
    if kind:
        write.tell_by_itself(kind, step=entry.step, visit=entry.visit, arrow=entry.transition)


_TOLD = {
    (TraceKind.PASSED, "choice"): WorkflowEvent.CHOICE_TAKEN,
    (TraceKind.ENDED, "wait"): WorkflowEvent.WAIT_DONE,
    (TraceKind.WITHDRAWN, "wait"): WorkflowEvent.WAIT_WITHDRAWN,
    (TraceKind.OPENED, "wait"): WorkflowEvent.WAIT_OPENED,
    (TraceKind.ENDED, "action"): WorkflowEvent.ACTION_DONE,
    (TraceKind.KEPT, ""): WorkflowEvent.MESSAGE_KEPT,
    (TraceKind.LOST, ""): WorkflowEvent.MESSAGE_LOST,
}


# --- what waits until the visits are written -------------------------------------------------------------------------


def _postpone(write: Write, effect: Any) -> None:
    write.openings.append(effect)


def _open_task(write: Write, effect: effects.OpenTask) -> None:
    step = write.run.definition.step(effect.step)
    assigned = _assignment(write, step)
    task = Task.objects.create(
        stream=write.request.stream,
        visit=write.run.visits[effect.visit],
        name=step.name,
        opened_at=write.at,
        **assigned,
    )
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
    )


def _hand_to(write: Write, task: Task) -> None:
    """Whose the request is from now on, and who may see it for that. The requester's own task gives it to nobody."""
    if task.group_id is not None:
        write.request.team, write.request.assignee = task.team, None
        write.concerns(f"group:{task.group_id}", Relation.TEAM)
        if task.team is not None and task.team.lead_id is not None:
            write.concerns(f"user:{task.team.lead_id}", Relation.TEAM)
        return
    write.concerns(f"user:{task.assignee_id}", Relation.ASSIGNEE)
    if task.assignee_id not in (write.request.requester_id, write.request.requested_for_id):
        write.request.assignee = task.assignee


def _assignment(write: Write, step: Step) -> dict[str, Any]:
    """Whom the task is for. If its rule names nobody, the administrators get it and an incident opens."""
    rule: Mapping[str, Any] = step.settings.get("assign", {})
    found = _assigned_to(rule, write)
    if found:
        return found
    key = f"task:{step.id}"
    _incident(write, kind="task_without_assignee", key=key, detail=f"Step {step.id}: {dict(rule)} names nobody active.")
    return {"group": ensure_role(Role.ADMINISTRATOR)}


def _assigned_to(rule: Mapping[str, Any], write: Write) -> dict[str, Any] | None:
    if rule.get("requester"):
        return {"assignee": write.request.requester} if write.request.requester.is_active else None
    if "team" in rule:
        team = (write.cast and write.cast.team(rule["team"])) or people.staffed_team(rule["team"])
        return {"team": team, "group": team.group} if team else None
    if "role" in rule:
        role = (write.cast and write.cast.role_group(rule["role"])) or people.staffed_role(rule["role"])
        return {"group": role} if role else None
    found = resolve_approvers([rule], people=concerned(write)) if rule else []
    return {"assignee": found[0].user} if found else None


def _open_approval(write: Write, effect: effects.OpenApproval) -> None:
    step = write.run.definition.step(effect.step)
    outcome = approvals.open_approval(
        write.run.visits[effect.visit],
        name=step.name,
        policy=policy_for(write, step),
        people=concerned(write),
        holds=lambda guard: holds(guard, pinned_facts(write.request), write.at),
        at=write.at,
    )
    take_over(write, outcome, visit=effect.visit)


def take_over(write: Write, outcome: approvals.Outcome, *, visit: int) -> None:
    """What an approval's service did, into the write: events, who may now see the request, the run's next trigger."""
    write.events += outcome.events
    for approver in outcome.asked:
        write.concerns(f"user:{approver.user.pk}", Relation.APPROVER)
    if outcome.result:
        write.triggers.append(Complete(visit=visit, outcome=outcome.result))


def concerned(write: Write) -> Concerned:
    """Whom approver rules start from."""
    request = write.request
    return Concerned(requester=request.requester, requested_for=request.requested_for, cast=write.cast)


def policy_for(write: Write, step: Step) -> Policy:
    """The approval policy of a step: inline in the document, or the pinned version it names."""
    if "policy_ref" in step.settings:
        return policy_of(write.request.pins["policies"][step.settings["policy_ref"]])
    return _inline_policy(write.run.run.version_id, step.id)


@lru_cache(maxsize=1024)
def _inline_policy(version_id: int, step_id: str) -> Policy:
    return parse_policy(definition_of(version_id).step(step_id).settings["policy"])


def _open_timer(write: Write, effect: effects.OpenTimer) -> None:
    due_at = _due_at(write, effect)
    Timer.objects.create(
        stream=write.request.stream,
        run=write.run.run,
        visit=effect.visit,
        kind=TimerKind.WAIT,
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


# --- what happens at once --------------------------------------------------------------------------------------------


def _withdraw_task(write: Write, effect: effects.WithdrawTask) -> None:
    open_ones = [TaskStatus.OPEN, TaskStatus.CLAIMED]
    tasks = Task.objects.filter(visit__run=write.run.run, visit__number=effect.visit, status__in=open_ones)
    if tasks.update(status=TaskStatus.WITHDRAWN, ended_at=write.at):
        write.tell_by_itself(WorkflowEvent.TASK_WITHDRAWN, step=effect.step, visit=effect.visit)


def _withdraw_approval(write: Write, effect: effects.WithdrawApproval) -> None:
    visit = write.run.run.visits.filter(number=effect.visit).first()
    if visit is not None:
        write.events += approvals.withdraw_approval(visit, at=write.at)


def _withdraw_timer(write: Write, effect: effects.WithdrawTimer) -> None:
    Timer.objects.filter(run=write.run.run, visit=effect.visit, closed_at=None).update(closed_at=write.at)


def _nothing_to_open(write: Write, effect: effects.AwaitMessage) -> None:
    """The marking itself waits for the message."""


def _run_action(write: Write, effect: effects.RunAction) -> None:
    try:
        ACTIONS[effect.action](write, effect)
    except InvalidInput as refusal:
        write.triggers.append(ActionFailed(visit=effect.visit, reason=f"fields refused: {', '.join(refusal.errors)}"))
    else:
        write.triggers.append(ActionDone(visit=effect.visit))


def _set_fields(write: Write, effect: effects.RunAction) -> None:
    """Values that do not fit their form's fields are a failed action, not a broken request."""
    form = form_of(write.request.pins["form"])
    fields = form.accept_computed(effect.settings["fields"])
    write.request.data = {**write.request.data, **fields}
    write.tell_by_itself(RequestEvent.FIELDS_SET, step=effect.step, fields=sorted(fields))


def _comment(write: Write, effect: effects.RunAction) -> None:
    note = write.note(effect.settings["text"])
    if note is None:
        return
    internal = bool(effect.settings.get("internal", False))
    Comment.objects.create(request=write.request, author=None, note=note, internal=internal, at=write.at)
    write.tell_by_itself(RequestEvent.COMMENTED, note=note, step=effect.step, internal=internal)


def _notify(write: Write, effect: effects.RunAction) -> None:
    """The message and its readers go into one event; notifications deliver it after the commit."""
    note = write.note(effect.settings["text"])
    readers = sorted({user for rule in effect.settings["to"] for user in _readers(rule, write)})
    write.tell_by_itself(RequestEvent.NOTICE, note=note, step=effect.step, users=readers)


def _readers(rule: Mapping[str, Any], write: Write) -> list[int]:
    if rule.get("requester"):
        return [write.request.requester_id]
    return [approver.user.pk for approver in resolve_approvers([rule], people=concerned(write))]


def _finish(write: Write, effect: effects.Finish) -> None:
    request = write.request
    end, told = _ENDS[effect.outcome]
    end(request, at=write.at, archive_at=write.at + request.item.archive_after)
    write.tell_by_itself(WorkflowEvent.RUN_ENDED, run=write.run.run.n, outcome=effect.outcome)
    tell = write.tell if told == RequestEvent.CANCELLED else write.tell_by_itself  # somebody cancels; nothing else does
    tell(told, outcome=effect.outcome)


def _raise_incident(write: Write, effect: effects.RaiseIncident) -> None:
    detail = f"Step {effect.step}: {effect.reason}" + (f" (guard: {effect.guard})" if effect.guard else "")
    _incident(write, kind="workflow", key=f"run:{write.run.run.n}:{effect.step}", detail=detail)


def _incident(write: Write, *, kind: str, key: str, detail: str) -> None:
    write.events += open_incident(write.request.stream, kind=kind, key=key, detail=detail, at=write.at)


_ENDS = {
    "completed": (lambda request, **when: request.complete(**when), RequestEvent.COMPLETED),
    "rejected": (lambda request, **when: request.reject(**when), RequestEvent.REJECTED),
    "cancelled": (lambda request, **when: request.cancel(**when), RequestEvent.CANCELLED),
}
ACTIONS: Mapping[str, Callable[[Write, effects.RunAction], None]] = {
    "set_fields": _set_fields,
    "comment": _comment,
    "notify": _notify,
}
OPENINGS: Mapping[type, Callable[[Write, Any], None]] = {
    effects.OpenTask: _open_task,
    effects.OpenApproval: _open_approval,
    effects.OpenTimer: _open_timer,
}
EFFECTS: Mapping[type, Callable[[Write, Any], None]] = {
    **dict.fromkeys(OPENINGS, _postpone),
    effects.WithdrawTask: _withdraw_task,
    effects.WithdrawApproval: _withdraw_approval,
    effects.WithdrawTimer: _withdraw_timer,
    effects.AwaitMessage: _nothing_to_open,
    effects.RunAction: _run_action,
    effects.Finish: _finish,
    effects.RaiseIncident: _raise_incident,
}
