"""Runs a case over the planner alone: the marking is JSON text between all events.

Keys and child runs are played by a small stand-in: one line for each key, one run for each child.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Marking
from apps.workflows.engine.planner import Plan, TraceEntry, TraceKind, plan
from tests.engine.patterns.case import Case, Event, Seen, told_between

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
VISIT_STATUS = {
    TraceKind.OPENED: "open",
    TraceKind.BEGUN: "begun",
    TraceKind.ENDED: "ended",
    TraceKind.WITHDRAWN: "withdrawn",
}
Place = tuple[int, int]


class KeyIsOut(TransitionNotAllowed):
    """Somebody else is working with this just now."""


@dataclass(kw_only=True)
class Run:
    """A run as it is stored. `parent` is the run, visit and instance that it is a child of."""

    n: int
    definition: Definition
    input: dict[str, Any] = field(default_factory=dict)
    parent: tuple[int, int, int | None] | None = None
    stored: str = "{}"
    outcome: str = ""

    @property
    def marking(self) -> Marking:
        return Marking.from_json(json.loads(self.stored))


class Planned:
    """The runs of one request, their visits and work items, and the line for each key."""

    def __init__(self, case: Case) -> None:
        compiled = [compile_document(document) for document in case.documents]
        self.definitions = {definition.workflow: definition for definition in compiled}
        self.data: dict[str, Any] = dict(case.data)
        self.runs = [Run(n=1, definition=compiled[0])]
        self.visits: dict[Place, Seen] = {}
        self.items: dict[tuple[int, int, int | None], Seen] = {}
        self.lines: dict[str, list[Place]] = {}
        self.waiting: deque[tuple[Run, triggers.Trigger]] = deque()
        self.trace: list[str] = []

    # what a case asks

    def start(self) -> list[str]:
        return self._happen(self.runs[0], triggers.Start())

    def send(self, event: Event) -> list[str]:
        if event.verb in ("message", "cancel"):
            if self.runs[0].outcome:
                return [f"{event.name} refused"]
            whole = triggers.Message(name=event.step) if event.verb == "message" else triggers.Cancel()
            return self._happen(self.runs[0], whole)
        place = self._place(event)
        if place is None:
            return [f"{event.name} not offered"]
        run, visit = self.runs[place[0] - 1], place[1]
        before = run.stored
        try:
            return self._happen(run, _trigger(event, visit))
        except TransitionNotAllowed as refusal:
            assert run.stored == before
            holder = f", {refusal} has the key" if isinstance(refusal, KeyIsOut) else ""
            return [f"{event.name} refused{holder}"]

    def offered(self) -> list[str]:
        return sorted(item.place for item in self.items.values() if item.status == "open")

    def holds_nothing(self) -> bool:
        markings = [run.marking for run in self.runs]
        left = any(marking.tokens or marking.joins or marking.kept for marking in markings)
        return not left and not any(self.lines.values()) and all(run.outcome for run in self.runs)

    # carrying out

    def _happen(self, run: Run, trigger: triggers.Trigger) -> list[str]:
        before, self.trace, was_over = self._seen(), [], bool(self.runs[0].outcome)
        self.waiting.append((run, trigger))
        while self.waiting:
            self._move(*self.waiting.popleft())
        told = told_between(before, self._seen())
        told += [f"go {line}" for line in self.trace if line in ("kept", "lost")]
        outcome = self.runs[0].outcome
        return [*told, f"run {outcome}"] if outcome and not was_over else told

    def _seen(self) -> dict[Any, Seen]:
        instances = {key: item for key, item in self.items.items() if key[2] is not None}
        waiting = [place for line in self.lines.values() for place in line[1:]]
        in_line = {place: replace(self.visits[place], in_line=True) for place in waiting}
        return {**self.visits, **instances, **in_line}

    def _move(self, run: Run, trigger: triggers.Trigger) -> None:
        facts = {"request": {"number": "SR-1", "data": self.data}, "run": {"n": run.n, "input": run.input}}
        planned = plan(run.definition, run.marking, trigger, facts, NOW)
        self._demand_keys(run, planned)
        run.stored = json.dumps(planned.marking.to_json())
        for entry in planned.trace:
            self._note(run, entry)
        self._note_instance(run, trigger)
        for effect in planned.effects:
            self._carry_out(run, effect)

    def _demand_keys(self, run: Run, planned: Plan) -> None:
        for effect in planned.effects:
            if isinstance(effect, effects.TakeKey) and (line := self.lines.get(effect.key)):
                raise KeyIsOut(self.visits[line[0]].place)

    def _note(self, run: Run, entry: TraceEntry) -> None:
        self.trace.append(_written(entry))
        status = VISIT_STATUS.get(entry.kind)
        if status is None or entry.visit is None or entry.step is None:
            return
        step = run.definition.step(entry.step)
        several = bool({"count", "for_each"} & step.settings.keys())
        seen = Seen(place=entry.step, status=status, outcome=entry.outcome or "", with_instances=several)
        self.visits[run.n, entry.visit] = seen
        if status == "ended" and (run.n, entry.visit, None) in self.items:
            self._set_item(run, entry.visit, None, "ended")

    def _note_instance(self, run: Run, trigger: triggers.Trigger) -> None:
        if isinstance(trigger, triggers.Complete) and trigger.instance is not None:
            self._set_item(run, trigger.visit, trigger.instance, "ended", trigger.outcome)

    def _set_item(self, run: Run, visit: int, instance: int | None, status: str, outcome: str = "") -> None:
        key = (run.n, visit, instance)
        self.items[key] = replace(self.items[key], status=status, outcome=outcome)

    def _carry_out(self, run: Run, effect: Any) -> None:
        carry_out = CARRIED_OUT.get(type(effect))
        if carry_out:
            carry_out(self, run, effect)

    def _open_task(self, run: Run, effect: effects.OpenTask) -> None:
        place = effect.step if effect.instance is None else f"{effect.step}[{effect.instance}]"
        self.items[run.n, effect.visit, effect.instance] = Seen(place=place, status="open")

    def _set_fields(self, run: Run, effect: effects.RunAction) -> None:
        self.data |= effect.settings["fields"]
        self.waiting.append((run, triggers.ActionDone(visit=effect.visit, instance=effect.instance)))

    def _withdraw_items(self, run: Run, effect: effects.WithdrawTask) -> None:
        for key, item in self.items.items():
            meant = effect.instance is None or key[2] == effect.instance
            if key[:2] == (run.n, effect.visit) and meant and item.status == "open":
                self._set_item(run, effect.visit, key[2], "withdrawn")

    def _start_child(self, run: Run, effect: effects.StartChild) -> None:
        definition = self.definitions[effect.workflow]
        parent = (run.n, effect.visit, effect.instance)
        child = Run(n=len(self.runs) + 1, definition=definition, input=dict(effect.input), parent=parent)
        self.runs.append(child)
        self.waiting.append((child, triggers.Start()))

    def _withdraw_children(self, run: Run, effect: effects.WithdrawChild) -> None:
        found = [one for one in self.runs if one.parent and one.parent[:2] == (run.n, effect.visit)]
        self.waiting.extend((one, triggers.Cancel()) for one in found if not one.outcome)

    def _grant(self, key: str) -> None:
        """Grants the key to the first of its line."""
        if self.lines[key]:
            n, visit = self.lines[key][0]
            self.waiting.append((self.runs[n - 1], triggers.KeyGranted(visit=visit)))

    def _take(self, run: Run, effect: effects.TakeKey) -> None:
        self.lines[effect.key] = [(run.n, effect.visit)]

    def _ask(self, run: Run, effect: effects.AskKey) -> None:
        line = self.lines.setdefault(effect.key, [])
        line.append((run.n, effect.visit))
        if len(line) == 1:
            self._grant(effect.key)

    def _give(self, run: Run, effect: effects.GiveKey) -> None:
        line = self.lines[effect.key]
        held = line[0] == (run.n, effect.visit)
        line.remove((run.n, effect.visit))
        if held:
            self._grant(effect.key)

    def _finish(self, run: Run, effect: effects.Finish) -> None:
        run.outcome = effect.outcome
        if run.parent is None:
            return
        n, visit, instance = run.parent
        seen = {"n": run.n, "input": run.input, "outcome": run.outcome}
        ended = triggers.ChildEnded(visit=visit, instance=instance, outcome=run.outcome, run=seen)
        self.waiting.append((self.runs[n - 1], ended))

    def _no_incident(self, run: Run, effect: effects.RaiseIncident) -> None:
        raise AssertionError(effect.reason)

    # finding

    def _place(self, event: Event) -> Place | None:
        found = [place for place, seen in sorted(self.visits.items()) if seen.place == event.step]
        if event.visit is not None:
            place = found[event.visit - 1] if len(found) >= event.visit else None
        else:
            still = [place for place in found if self.visits[place].status in ("open", "begun")]
            place = next(iter(still or found[-1:]), None)
        wanted = place and event.instance is not None
        return None if wanted and (*(place or ()), event.instance) not in self.items else place


CARRIED_OUT: dict[type, Callable[[Planned, Run, Any], None]] = {
    effects.OpenTask: Planned._open_task,
    effects.WithdrawTask: Planned._withdraw_items,
    effects.RunAction: Planned._set_fields,
    effects.StartChild: Planned._start_child,
    effects.WithdrawChild: Planned._withdraw_children,
    effects.TakeKey: Planned._take,
    effects.AskKey: Planned._ask,
    effects.GiveKey: Planned._give,
    effects.Finish: Planned._finish,
    effects.RaiseIncident: Planned._no_incident,
}


def _trigger(event: Event, visit: int) -> triggers.Trigger:
    if event.verb == "complete":
        return triggers.Complete(visit=visit, instance=event.instance, outcome=event.outcome)
    if event.verb == "timer":
        return triggers.TimerFired(visit=visit, deadline=event.deadline)
    if event.verb == "add":
        return triggers.AddInstance(visit=visit, item=event.item)
    plain = {
        "begin": triggers.Begin,
        "cancel_visit": triggers.CancelVisit,
        "close": triggers.CloseInstances,
        "finish": triggers.FinishInstances,
    }
    return plain[event.verb](visit=visit)


def _written(entry: TraceEntry) -> str:
    """A line of the trace as a literal has it: `ended A`, `instance opened check[0]`, `passed end: completed`."""
    place = "" if entry.step is None else f" {entry.step}"
    place += "" if entry.instance is None else f"[{entry.instance}]"
    outcome = "" if entry.outcome in (None, "done") else f": {entry.outcome}"
    return f"{entry.kind.value}{place}{outcome}"
