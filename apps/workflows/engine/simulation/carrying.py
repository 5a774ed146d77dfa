"""What a plan asks for, in a dry run: noted down, and answered at once where nobody has to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.core.errors import InvalidInput, TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.planner import Plan, plan
from apps.workflows.engine.retry import most_attempts
from apps.workflows.engine.simulation.rounds import fire, open_round
from apps.workflows.engine.simulation.state import Alarm, Run, Walk
from apps.workflows.engine.trace import TraceEntry, TraceKind

DEEPEST = 20
ADMINISTRATORS: Mapping[str, Any] = {"role": "administrator"}


def move(walk: Walk, run: Run, trigger: triggers.Trigger) -> Plan:
    """Moves a run by one trigger; what follows from it waits for `settle`. Raises TransitionNotAllowed, TooMuch."""
    walk.record.count()
    walk.record.labour(_size(run))
    planned = plan(run.definition, run.marking, trigger, walk.seen(run), walk.clock)
    run.marking = planned.marking
    for entry in planned.trace:
        _follow(walk, run, entry)
    for effect in planned.effects:
        EFFECTS[type(effect)](walk, run, effect)
    return planned


def _size(run: Run) -> int:
    tokens = run.marking.tokens
    return len(tokens) + sum(len(visit.instances or ()) for token in tokens for visit in token.visits)


def settle(walk: Walk) -> None:
    """Everything that follows at once: triggers first, then what they open. Raises TooMuch."""
    while walk.triggers or walk.openings:
        if walk.triggers:
            _attempt(walk, *walk.triggers.popleft())
            continue
        run, effect = walk.openings.popleft()
        if run.is_open(*_where(effect)):
            OPENINGS[type(effect)](walk, run, effect)


def advance(walk: Walk, to: datetime) -> None:
    """Time passes: what falls due on the way fires in order, each at its own time. Raises TooMuch."""
    while (alarm := _next_due(walk, to)) is not None and alarm.due is not None:
        walk.alarms.remove(alarm)
        walk.clock = max(walk.clock, alarm.due)
        if alarm.level is not None:
            fire(walk, alarm)
        else:
            fired = triggers.TimerFired(visit=alarm.visit, instance=alarm.instance, deadline=alarm.deadline)
            _attempt(walk, alarm.run, fired)
        settle(walk)
    walk.clock = max(walk.clock, to)


def _next_due(walk: Walk, to: datetime) -> Alarm | None:
    due = [alarm for alarm in walk.alarms if alarm.due is not None and alarm.due <= to]
    return min(due, key=lambda alarm: (alarm.due, alarm.number), default=None)


def _attempt(walk: Walk, run: Run, trigger: triggers.Trigger) -> None:
    """A trigger that follows by itself; it comes to nothing where something else has withdrawn its visit."""
    try:
        move(walk, run, trigger)
    except TransitionNotAllowed:
        walk.record.count()


def _where(effect: Any) -> tuple[int, int | None]:
    return effect.visit, getattr(effect, "instance", None)


# the path


def _follow(walk: Walk, run: Run, entry: TraceEntry) -> None:
    walk.record.count()
    if entry.kind is TraceKind.OPENED:
        walk.order[(run.n, entry.visit or 0)] = len(walk.order)
    event = _event(entry, run.definition)
    if event is not None:
        walk.record.tell(walk.clock, run.named(entry.step), event)


def _event(entry: TraceEntry, definition: Definition) -> str | None:
    """The event in words; None for what the path leaves out: what begins as it opens, what comes late, messages."""
    if entry.kind in (TraceKind.BEGUN, TraceKind.IGNORED, TraceKind.KEPT, TraceKind.LOST):
        return None
    if entry.kind is TraceKind.PASSED:
        to = None if entry.transition is None else definition.transitions[entry.transition].target
        return "reached" if to is None else f"passed to {to}"
    word = entry.kind.value if entry.instance is None else entry.kind.value.replace("instance", _instance(entry))
    return word if entry.outcome is None else f"{word}: {entry.outcome}"


def _instance(entry: TraceEntry) -> str:
    return f"instance {entry.instance}"


# effects


def _postpone(walk: Walk, run: Run, effect: Any) -> None:
    walk.openings.append((run, effect))


def _nothing(walk: Walk, run: Run, effect: Any) -> None:
    """The marking itself knows."""


def _open_task(walk: Walk, run: Run, effect: effects.OpenTask) -> None:
    path, rule = run.path_of(effect.step), run.definition.step(effect.step).settings.get("assign", {})
    seen = walk.seen(run)
    if effect.instance is not None:
        seen |= {"item": effect.item, "index": effect.instance}
    people = walk.world.people(rule, seen, walk.clock)
    if not people:
        text = f"{dict(rule)} names nobody active: the administrators get the task {path}."
        walk.record.blame("nobody_assigned", text, step=path)
        people = walk.world.people(ADMINISTRATORS, seen, walk.clock)
    walk.tasks[(run.n, effect.visit, effect.instance)] = people
    walk.record.ask(path, None, people)


def _open_timer(walk: Walk, run: Run, effect: effects.OpenTimer) -> None:
    path, due = run.path_of(effect.step), _due(walk, effect)
    walk.record.note_due(path, effect.deadline, due)
    if due is None:
        text = f"Nobody knows when the timer of {path} is due: there is no calendar {effect.calendar!r}."
        walk.record.blame("unknown_calendar", text, step=path)
    alarm = Alarm(
        number=walk.number(),
        run=run,
        visit=effect.visit,
        step=effect.step,
        instance=effect.instance,
        deadline=effect.deadline,
        due=due,
    )
    walk.alarms.append(alarm)


def _due(walk: Walk, effect: effects.OpenTimer) -> datetime | None:
    if effect.until is not None:
        return effect.until
    if effect.business_seconds is not None:
        return walk.world.due(effect.business_seconds, effect.calendar or "", walk.clock)
    return walk.clock + timedelta(seconds=effect.seconds or 0)


def _withdraw_timer(walk: Walk, run: Run, effect: effects.WithdrawTimer) -> None:
    walk.alarms = [
        alarm
        for alarm in walk.alarms
        if alarm.run is not run
        or alarm.visit != effect.visit
        or (effect.instance is not None and alarm.instance != effect.instance)
    ]


def _start_child(walk: Walk, run: Run, effect: effects.StartChild) -> None:
    definition = walk.world.child(effect.workflow)
    too_deep = run.depth >= DEEPEST
    if definition is None or too_deep:
        unknown = f"The workflow {effect.workflow!r} has no published version."
        reason = f"Workflows call each other more than {DEEPEST} deep." if too_deep else unknown
        failed = triggers.ActionFailed(visit=effect.visit, instance=effect.instance, reason=reason)
        walk.triggers.append((run, failed))
        return
    n = walk.number()
    child = Run(
        n=n,
        definition=definition,
        prefix=f"{run.path_of(effect.step)}/",
        facts={"n": n, "input": dict(effect.input), "outcome": ""},
        parent=run,
        parent_visit=effect.visit,
        parent_instance=effect.instance,
        depth=run.depth + 1,
    )
    walk.runs.append(child)
    walk.triggers.append((child, triggers.Start()))


def _withdraw_child(walk: Walk, run: Run, effect: effects.WithdrawChild) -> None:
    for child in walk.runs:
        is_it = child.parent is run and child.parent_visit == effect.visit
        if is_it and effect.instance in (None, child.parent_instance):
            walk.triggers.append((child, triggers.Cancel()))


def _grant_key(walk: Walk, run: Run, effect: effects.AskKey) -> None:
    walk.triggers.append((run, triggers.KeyGranted(visit=effect.visit)))


def _run_action(walk: Walk, run: Run, effect: effects.RunAction) -> None:
    """Noted, never carried out; only what it would do to the sample data is done, unless the script lets it fail."""
    walk.record.act(walk.clock, run.path_of(effect.step), effect.action, effect.settings)
    reason = _failed_attempts(walk, run, effect)
    if reason is None and effect.action in _ACTIONS:
        reason = _ACTIONS[effect.action](walk, run, effect)
    where: dict[str, Any] = {"visit": effect.visit, "instance": effect.instance}
    done = triggers.ActionDone(**where) if reason is None else triggers.ActionFailed(**where, reason=reason)
    walk.triggers.append((run, done))


def _failed_attempts(walk: Walk, run: Run, effect: effects.RunAction) -> str | None:
    """Why the action has failed for good by the script, or None. The pauses between attempts take no time here."""
    path = run.path_of(effect.step)
    most = most_attempts(run.definition.step(effect.step).settings)
    of_instance = (path, effect.instance)
    place = of_instance if walk.failing[of_instance] else (path, None)
    failed = min(walk.failing[place], most)
    walk.failing[place] -= failed
    for attempt in range(1, failed + 1):
        walk.record.tell(walk.clock, path, f"attempt {attempt} of {most} failed")
    return f"It failed {failed} times, as the script says." if failed == most else None


def _set_fields(walk: Walk, run: Run, effect: effects.RunAction) -> str | None:
    try:
        walk.fill(None, effect.settings["fields"])
    except InvalidInput as refusal:
        return f"fields refused: {refusal}"
    return None


def _assign(walk: Walk, run: Run, effect: effects.RunAction) -> str | None:
    seen = {**walk.seen(run), "item": effect.item, "index": effect.instance or 0}
    people = walk.world.people(effect.settings["to"], seen, walk.clock)
    return None if people else f"{dict(effect.settings['to'])} names nobody active."


def _set_fields_of(walk: Walk, run: Run, effect: effects.SetFields) -> None:
    try:
        walk.fill(None, effect.fields)
    except InvalidInput as refusal:
        path = run.path_of(effect.step)
        walk.record.blame("fields_refused", f"What {path} gives does not fit: {refusal}", step=path)


def _finish(walk: Walk, run: Run, effect: effects.Finish) -> None:
    run.facts = {**run.facts, "outcome": effect.outcome}
    if run.parent is None:
        walk.ended = effect.outcome
        return
    walk.runs.remove(run)
    ended = triggers.ChildEnded(
        visit=run.parent_visit, instance=run.parent_instance, outcome=effect.outcome, run=run.facts
    )
    walk.triggers.append((run.parent, ended))


def _raise_incident(walk: Walk, run: Run, effect: effects.RaiseIncident) -> None:
    path = run.path_of(effect.step)
    reason = effect.reason + (f" (guard: {effect.guard})" if effect.guard else "")
    walk.reasons[(run.n, effect.visit or 0, effect.instance)] = reason
    walk.record.blame("incident", f"{path}: {reason}", step=path)


_ACTIONS: Mapping[str, Callable[[Walk, Run, effects.RunAction], str | None]] = {
    "set_fields": _set_fields,
    "assign": _assign,
}
OPENINGS: Mapping[type, Callable[[Walk, Run, Any], None]] = {
    effects.OpenTask: _open_task,
    effects.OpenApproval: open_round,
    effects.OpenTimer: _open_timer,
    effects.StartChild: _start_child,
    effects.AskKey: _grant_key,
}
EFFECTS: Mapping[type, Callable[[Walk, Run, Any], None]] = {
    **dict.fromkeys(OPENINGS, _postpone),
    **dict.fromkeys(
        (
            effects.WithdrawTask,
            effects.WithdrawApproval,
            effects.WithdrawAction,
            effects.AwaitMessage,
            effects.TakeKey,
            effects.GiveKey,
        ),
        _nothing,
    ),
    effects.WithdrawTimer: _withdraw_timer,
    effects.WithdrawChild: _withdraw_child,
    effects.RunAction: _run_action,
    effects.SetFields: _set_fields_of,
    effects.Finish: _finish,
    effects.RaiseIncident: _raise_incident,
}
