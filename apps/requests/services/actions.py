"""What action steps do: at once within the write, or after the commit where they reach beyond the request."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from apps.approvals.selectors import resolve_approvers
from apps.core.errors import InvalidInput
from apps.requests.enums import Relation, RequestEvent
from apps.requests.facts import form_of, pinned_facts
from apps.requests.models import Comment
from apps.requests.services.openings import assigned_to
from apps.requests.services.work_items import concerned
from apps.requests.services.writing import Write, within
from apps.workflows.engine import effects
from apps.workflows.engine.retry import delay_before, most_attempts
from apps.workflows.engine.triggers import ActionDone, ActionFailed
from apps.workflows.enums import CallStatus, TimerKind, WorkflowEvent
from apps.workflows.models import ActionCall, Timer
from apps.workflows.services.running import Passage

FIRST_DELAY_S = 2.0


class NotDone(Exception):
    """The action could not be carried out; the text says why, without values."""


def run_action(write: Write, run: Passage, effect: effects.RunAction) -> None:
    """Carries the action out, or notes that it is due after the commit."""
    if effect.action in OUTSIDE:
        write.openings.append((run, effect))
        return
    try:
        AT_ONCE[effect.action](write, run, effect)
    except (InvalidInput, NotDone) as refusal:
        _failed(write, run, effect, reason=_reason(refusal))
    else:
        write.triggers.append((run, ActionDone(visit=effect.visit, instance=effect.instance)))


def note_calls(write: Write, run: Passage, opened: Sequence[effects.RunAction]) -> None:
    """Writes actions down that reach beyond the request; the events that tell of them let them be carried out."""
    calls = [
        ActionCall(
            stream=write.request.stream,
            run=run.run,
            visit=effect.visit,
            instance=effect.instance,
            step=effect.step,
            action=effect.action,
            settings=dict(effect.settings),
            opened_at=write.at,
        )
        for effect in opened
    ]
    for call in ActionCall.objects.bulk_create(calls):
        _tell_due(write, call)


def due_again(write: Write, timer: Timer) -> None:
    """The pause before the next attempt is over."""
    calls = ActionCall.objects.filter(run_id=timer.run_id, visit=timer.visit, status=CallStatus.PENDING)
    for call in calls.filter(instance=timer.instance):
        _tell_due(write, call)


def attempt_failed(
    write: Write, run: Passage, call: ActionCall, *, reason: str, for_good: bool, after_s: int | None = None
) -> None:
    """Notes a failed attempt: the next one after a pause that doubles, or the end of the action.

    Counts against the step's `retry`. The pause is at least `after_s`, where a receiver asked for that. `call` is
    pending, and the caller saves nothing of it.
    """
    settings = run.definition.step(call.step).settings
    call.attempts += 1
    call.last_error = reason[:200]
    if for_good or call.attempts >= most_attempts(settings):
        call.status, call.ended_at = CallStatus.FAILED, write.at
        write.tell_by_itself(
            WorkflowEvent.ACTION_FAILED, step=call.step, visit=call.visit, attempts=call.attempts, **within(run.run)
        )
        write.triggers.append((run, ActionFailed(visit=call.visit, instance=call.instance, reason=reason)))
    else:
        first_delay_s = settings.get("retry", {}).get("first_delay_s", FIRST_DELAY_S)
        _pause(write, call, first_delay_s=first_delay_s, at_least_s=after_s or 0)
    call.save(update_fields=["attempts", "last_error", "status", "ended_at"])


def call_done(write: Write, run: Passage, call: ActionCall) -> None:
    """The action was carried out; the run goes on."""
    call.attempts += 1
    call.status, call.ended_at, call.last_error = CallStatus.DONE, write.at, ""
    call.save(update_fields=["attempts", "last_error", "status", "ended_at"])
    write.triggers.append((run, ActionDone(visit=call.visit, instance=call.instance)))


def withdraw_action(write: Write, run: Passage, effect: effects.WithdrawAction) -> None:
    """What was not sent yet is not sent any more."""
    calls = ActionCall.objects.filter(run=run.run, visit=effect.visit, status=CallStatus.PENDING)
    timers = Timer.objects.filter(run=run.run, visit=effect.visit, kind=TimerKind.RETRY, closed_at=None)
    if effect.instance is not None:
        calls, timers = calls.filter(instance=effect.instance), timers.filter(instance=effect.instance)
    calls.update(status=CallStatus.WITHDRAWN, ended_at=write.at)
    timers.update(closed_at=write.at)


def set_fields_of(write: Write, run: Passage, effect: effects.SetFields) -> None:
    """A message's payload or a child's output, checked before the run moved. Raises InvalidInput."""
    fill_in(write, run, effect.fields, step=effect.step)


def fill_in(write: Write, run: Passage, values: Mapping[str, Any], *, step: str) -> None:
    """Writes computed values to the request's data. Raises InvalidInput naming the fields that refuse theirs."""
    fields = accepted(write, values)
    write.request.data = {**write.request.data, **fields}
    write.tell_by_itself(RequestEvent.FIELDS_SET, step=step, fields=sorted(fields), **within(run.run))


def accepted(write: Write, values: Mapping[str, Any]) -> dict[str, Any]:
    """Computed values as the request's form takes them. Raises InvalidInput naming the fields that refuse theirs."""
    return form_of(write.request.pins["form"]).accept_computed(values)


def _tell_due(write: Write, call: ActionCall) -> None:
    write.tell_by_itself(
        WorkflowEvent.ACTION_DUE, step=call.step, visit=call.visit, call=call.pk, attempt=call.attempts + 1
    )


def _pause(write: Write, call: ActionCall, *, first_delay_s: float, at_least_s: int) -> None:
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - jitter
    pause = delay_before(call.attempts + 1, first_delay_s=first_delay_s, jitter=jitter)
    due_at = write.at + timedelta(seconds=max(pause, at_least_s))
    Timer.objects.create(
        stream=write.request.stream,
        run_id=call.run_id,
        visit=call.visit,
        instance=call.instance,
        kind=TimerKind.RETRY,
        due_at=due_at,
        check_at=due_at,
    )


def _failed(write: Write, run: Passage, effect: effects.RunAction, *, reason: str) -> None:
    write.triggers.append((run, ActionFailed(visit=effect.visit, instance=effect.instance, reason=reason)))


def _reason(refusal: InvalidInput | NotDone) -> str:
    return str(refusal) if isinstance(refusal, NotDone) else f"fields refused: {', '.join(refusal.errors)}"


def _set_fields(write: Write, run: Passage, effect: effects.RunAction) -> None:
    """Values that do not fit their form's fields are a failed action, not a broken request."""
    fill_in(write, run, effect.settings["fields"], step=effect.step)


def _comment(write: Write, run: Passage, effect: effects.RunAction) -> None:
    note = write.note(effect.settings["text"])
    if note is None:
        return
    internal = bool(effect.settings.get("internal", False))
    Comment.objects.create(request=write.request, author=None, note=note, internal=internal, at=write.at)
    write.tell_by_itself(RequestEvent.COMMENTED, note=note, step=effect.step, internal=internal, **within(run.run))


def _notify(write: Write, run: Passage, effect: effects.RunAction) -> None:
    """The message and its readers go into one event; notifications deliver it after the commit."""
    note = write.note(effect.settings["text"])
    readers = sorted({user for rule in effect.settings["to"] for user in readers_of(rule, write)})
    write.tell_by_itself(RequestEvent.NOTICE, note=note, step=effect.step, users=readers, **within(run.run))


def readers_of(rule: Mapping[str, Any], write: Write) -> list[int]:
    """The ids of the active people whom a rule names; the requester as they are."""
    if rule.get("requester"):
        return [write.request.requester_id]
    return [approver.user.pk for approver in resolve_approvers([rule], people=concerned(write))]


def _assign(write: Write, run: Passage, effect: effects.RunAction) -> None:
    """Whose the request is from now on: a person, or a team; a role has it through its open tasks only."""
    rule = effect.settings["to"]
    seen = {**pinned_facts(write.request), "run": run.facts, "item": effect.item, "index": effect.instance}
    found = assigned_to(rule, write, seen)
    give_request(write, found, rule, step=effect.step, **within(run.run))


def give_request(write: Write, found: Mapping[str, Any] | None, rule: Mapping[str, Any], **told: Any) -> None:
    """Gives the request to whoever a rule names (`assigned_to`), and says so. Raises NotDone where that is nobody."""
    if found is None:
        raise NotDone(f"{dict(rule)} names nobody active.")
    write.request.assignee, write.request.team = found.get("assignee"), found.get("team", write.request.team)
    if "assignee" in found:
        write.concerns(f"user:{found['assignee'].pk}", Relation.ASSIGNEE)
    else:
        write.concerns(f"group:{found['group'].pk}", Relation.TEAM)
    team = write.request.team.pk if write.request.team else None
    write.tell_by_itself(RequestEvent.ASSIGNED, assignee=write.request.assignee_id, team=team, **told)


AT_ONCE: Mapping[str, Callable[[Write, Passage, effects.RunAction], None]] = {
    "set_fields": _set_fields,
    "comment": _comment,
    "notify": _notify,
    "assign": _assign,
}
OUTSIDE = frozenset({"webhook", "create_request"})
