"""Where engine effects are carried out: one table from effect to the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from apps.core.errors import InvalidInput
from apps.outbox.incidents import close_incidents, open_incident
from apps.requests.enums import RequestEvent
from apps.requests.facts import pinned_facts
from apps.requests.services import actions, approving, children, keys, openings
from apps.requests.services.writing import Write, within
from apps.workflows.engine import effects
from apps.workflows.engine.planner import TraceEntry, TraceKind, plan
from apps.workflows.engine.triggers import ActionDone, ActionFailed, ChildEnded, TimerFired, Trigger
from apps.workflows.enums import TimerKind, WorkflowEvent
from apps.workflows.models import Timer
from apps.workflows.services.running import Passage

MOST_MOVES = 100


def carry_out(write: Write, trigger: Trigger, run: Passage | None = None) -> None:
    """Moves the run (the request's own, if none is named) by the trigger and by everything that follows from it at
    once, children and parents too, then opens what is left open.

    Effects that end by themselves (set fields, comment, an approval no level of which applies) give the next trigger.
    After 100 of them an action that has just been done counts as failed: an incident opens, or its `failed` way is
    taken; approvals and child runs are not opened any more and keys not asked for, their steps rest in incident. After
    200 no `failed` way is taken either. So what led here stays, and an operator decides how it goes on. Raises
    TransitionNotAllowed for an impossible trigger.
    """
    write.triggers.append((run or write.run, trigger))
    go_on(write)


def go_on(write: Write) -> None:
    """Carries out the triggers that wait in the write, as `carry_out` does. Instances of one visit count as one."""
    passed: set[tuple[int | None, int | None, int | None]] = set()
    while write.triggers or write.openings:
        if not write.triggers:
            _open_all(write, stopped=len(passed) > MOST_MOVES)
            continue
        moving, following = write.triggers.pop(0)
        passed.add((moving.run.parent_id, moving.run.parent_visit, getattr(following, "visit", None)))
        _move(write, moving, _within_bounds(following, passed=len(passed)))


def _within_bounds(trigger: Trigger, *, passed: int) -> Trigger:
    if passed <= MOST_MOVES or not isinstance(trigger, ActionDone | ChildEnded):
        return trigger
    return _stop(trigger, for_good=passed > 2 * MOST_MOVES)


def _stop(at: Any, *, for_good: bool) -> ActionFailed:
    reason = f"The workflow went on by itself for more than {MOST_MOVES} steps and was stopped."
    return ActionFailed(visit=at.visit, instance=getattr(at, "instance", None), reason=reason, stopped=for_good)


def fire(write: Write, timer: Timer) -> None:
    """Fires a timer that is due, once; the run goes on."""
    if timer.kind == TimerKind.APPROVAL:
        approving.fire_deadline(write, timer)
        go_on(write)
        return
    timer.fired, timer.closed_at = True, write.at
    timer.save(update_fields=["fired", "closed_at"])
    if timer.kind == TimerKind.RETRY:
        actions.due_again(write, timer)
        return
    trigger = TimerFired(visit=timer.visit, instance=timer.instance, deadline=timer.deadline or None)
    carry_out(write, trigger, write.passage_of(timer.run_id))


def _move(write: Write, run: Passage, trigger: Trigger) -> None:
    facts = {**pinned_facts(write.request), "run": run.facts}
    if isinstance(trigger, ChildEnded) and (refused := _refused_output(write, run, trigger, facts)):
        reason = f"The output does not fit: {', '.join(refused)}"
        trigger = ActionFailed(visit=trigger.visit, instance=trigger.instance, reason=reason)
    before = _stopped_steps(run)
    planned = run.move(trigger, facts)
    for entry in planned.trace:
        _tell(write, run, entry)
    for effect in planned.effects:
        EFFECTS[type(effect)](write, run, effect)
    if over := {f"run:{run.run.n}:{step}" for step in before - _stopped_steps(run)}:
        write.events += close_incidents(
            write.request.stream,
            about=lambda incident: incident.kind == "workflow" and incident.key in over,
            actor=write.actor_name,
            at=write.at,
        )


def _stopped_steps(run: Passage) -> set[str]:
    """The steps that an open incident of the run names: where something is in incident, or the whole run is stuck."""
    if run.is_stuck:
        return {min(token.step for token in run.marking.tokens)}
    return {visit.step for visit in run.marking.open_visits() if visit.needs_operator}


def _refused_output(write: Write, run: Passage, ended: ChildEnded, facts: Mapping[str, Any]) -> list[str]:
    """The fields that do not take what a child's output would put into them: nobody entered it, the step fails."""
    planned = plan(run.definition, run.marking, ended, facts, write.at)
    try:
        for effect in planned.effects:
            if isinstance(effect, effects.SetFields):
                actions.accepted(write, effect.fields)
    except InvalidInput as refusal:
        return sorted(refusal.errors)
    return []


def _open_all(write: Write, *, stopped: bool) -> None:
    """Work items refer to their visits, so the visits are written first. Those of one sort that follow each other are
    opened together. Where the write is `stopped`, what may end at once is not opened.
    """
    for run in write.passages:
        run.save_visits()
    waiting, write.openings = write.openings, []
    for (_, sort), group in groupby(waiting, key=lambda one: (id(one[0]), type(one[1]))):
        together = list(group)
        if stopped and sort in MAY_END_AT_ONCE:
            write.triggers += [(run, _stop(effect, for_good=True)) for run, effect in together]
        else:
            OPENINGS[sort](write, together[0][0], [effect for _, effect in together])


def _tell(write: Write, run: Passage, entry: TraceEntry) -> None:
    step = run.definition.step(entry.step) if entry.step else None
    kind = _TOLD_OF_ALL.get(entry.kind) or _TOLD.get((entry.kind, step.kind if step else ""))
    if kind:
        more: dict[str, Any] = {"deadline": entry.outcome} if entry.kind is TraceKind.OVERDUE else {}
        write.tell_by_itself(
            kind, step=entry.step, visit=entry.visit, arrow=entry.transition, **within(run.run), **more
        )


_TOLD_OF_ALL = {TraceKind.OVERDUE: WorkflowEvent.DEADLINE_PASSED}
_TOLD = {
    (TraceKind.PASSED, "choice"): WorkflowEvent.CHOICE_TAKEN,
    (TraceKind.ENDED, "wait"): WorkflowEvent.WAIT_DONE,
    (TraceKind.WITHDRAWN, "wait"): WorkflowEvent.WAIT_WITHDRAWN,
    (TraceKind.OPENED, "wait"): WorkflowEvent.WAIT_OPENED,
    (TraceKind.ENDED, "action"): WorkflowEvent.ACTION_DONE,
    (TraceKind.ENDED, "subflow"): WorkflowEvent.SUBFLOW_ENDED,
    (TraceKind.KEPT, ""): WorkflowEvent.MESSAGE_KEPT,
    (TraceKind.LOST, ""): WorkflowEvent.MESSAGE_LOST,
}


def _postpone(write: Write, run: Passage, effect: Any) -> None:
    write.openings.append((run, effect))


def _take_back(write: Write, run: Passage, effect: Any) -> None:
    """What waits to be opened is not opened any more; what is written is withdrawn."""
    write.openings = [one for one in write.openings if one[0] is not run or not _takes_back(run, effect, one[1])]
    if run.run.pk is not None:
        WITHDRAWALS[type(effect)][1](write, run, effect)


def _takes_back(run: Passage, effect: Any, opening: Any) -> bool:
    if opening.visit != effect.visit or type(opening) is not WITHDRAWALS[type(effect)][0]:
        return False
    if isinstance(opening, effects.OpenTimer) and openings.is_left_over(run, effect.visit):
        return opening.deadline is not None
    instance: int | None = getattr(effect, "instance", None)
    return instance is None or instance == getattr(opening, "instance", None)


def _nothing_to_open(write: Write, run: Passage, effect: effects.AwaitMessage) -> None:
    """The marking itself waits for the message."""


def _finish(write: Write, run: Passage, effect: effects.Finish) -> None:
    write.tell_by_itself(WorkflowEvent.RUN_ENDED, run=run.run.n, outcome=effect.outcome)
    if run.run.parent_id is not None:
        ended = ChildEnded(
            visit=run.run.parent_visit or 0,
            instance=run.run.parent_instance,
            outcome=effect.outcome,
            run=run.facts,
        )
        write.triggers.append((write.passage_of(run.run.parent_id), ended))
        return
    request = write.request
    end, told = _ENDS[effect.outcome]
    end(request, at=write.at, archive_at=write.at + request.item.archive_after)
    tell = write.tell if told == RequestEvent.CANCELLED else write.tell_by_itself  # somebody cancels; nothing else does
    tell(told, outcome=effect.outcome)


def _raise_incident(write: Write, run: Passage, effect: effects.RaiseIncident) -> None:
    detail = f"Step {effect.step}: {effect.reason}" + (f" (guard: {effect.guard})" if effect.guard else "")
    key = f"run:{run.run.n}:{effect.step}"
    write.events += open_incident(write.request.stream, kind="workflow", key=key, detail=detail, at=write.at)


def _one_by_one(open_one: Callable[[Write, Passage, Any], None]) -> Callable[[Write, Passage, list[Any]], None]:
    def open_each(write: Write, run: Passage, opened: list[Any]) -> None:
        for effect in opened:
            open_one(write, run, effect)

    return open_each


_ENDS = {
    "completed": (lambda request, **when: request.complete(**when), RequestEvent.COMPLETED),
    "rejected": (lambda request, **when: request.reject(**when), RequestEvent.REJECTED),
    "cancelled": (lambda request, **when: request.cancel(**when), RequestEvent.CANCELLED),
}
OPENINGS: Mapping[type, Callable[[Write, Passage, list[Any]], None]] = {
    effects.OpenTask: openings.open_tasks,
    effects.OpenApproval: _one_by_one(approving.open_approval),
    effects.OpenTimer: openings.open_timers,
    effects.StartChild: _one_by_one(children.start_child),
    effects.AskKey: _one_by_one(keys.ask_key),
    effects.RunAction: actions.note_calls,
}
MAY_END_AT_ONCE = (effects.OpenApproval, effects.StartChild, effects.AskKey)
WITHDRAWALS: Mapping[type, tuple[type, Callable[[Write, Passage, Any], None]]] = {
    effects.WithdrawTask: (effects.OpenTask, openings.withdraw_task),
    effects.WithdrawApproval: (effects.OpenApproval, openings.withdraw_approval),
    effects.WithdrawTimer: (effects.OpenTimer, openings.withdraw_timer),
    effects.WithdrawAction: (effects.RunAction, actions.withdraw_action),
    effects.WithdrawChild: (effects.StartChild, children.withdraw_child),
    effects.GiveKey: (effects.AskKey, keys.give_key),
}
EFFECTS: Mapping[type, Callable[[Write, Passage, Any], None]] = {
    **dict.fromkeys(OPENINGS, _postpone),
    **dict.fromkeys(WITHDRAWALS, _take_back),
    effects.TakeKey: keys.take_key,
    effects.AwaitMessage: _nothing_to_open,
    effects.SetFields: actions.set_fields_of,
    effects.RunAction: actions.run_action,
    effects.Finish: _finish,
    effects.RaiseIncident: _raise_incident,
}
