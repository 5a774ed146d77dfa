"""The side branches of deadlines: explored by themselves, where nothing else has to do with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from apps.workflows.engine.attributes.check import side_branches
from apps.workflows.engine.definition import Step, Transition
from apps.workflows.engine.graph import reached
from apps.workflows.engine.soundness.model import Model

START = "\u2026start"


@dataclass(frozen=True, kw_only=True)
class Side:
    """A side branch as a model of its own.

    `step` is where its deadline is, `deadline` that one's id, `arrow` the index of its arrow. `onward`: what the
    step leads to.
    """

    step: str
    deadline: str
    arrow: int
    onward: frozenset[str]
    model: Model


def apart(model: Model) -> tuple[Model, tuple[Side, ...]]:
    """The model without the side branches that can be explored by themselves, and these."""
    sides = tuple(_sides(model))
    gone = {step.id for side in sides for step in side.model.definition.steps}
    rest = model.without(gone, [side.arrow for side in sides])
    steps = _without_deadlines(rest, sides)
    return rest.drawn(steps, rest.definition.transitions, reopen=model.definition.reopen), sides


def _sides(model: Model) -> Iterator[Side]:
    """Those of steps that are in no side branch themselves; the others belong to the model of theirs."""
    nested: set[str] = set()
    found = []
    for step in model.definition.steps:
        for index, target in side_branches(step, model.definition).items():
            inside = reached(model.definition.graph, [target])
            if _stands_alone(model, inside):
                found.append((step.id, index, target, inside))
                nested |= inside
    deadline_of = {arrow.index: arrow.deadline for arrow in model.definition.transitions}
    for step_id, index, target, inside in found:
        if step_id not in nested:
            yield Side(
                step=step_id,
                deadline=deadline_of[index] or "",
                arrow=index,
                onward=model.definition.reachable(step_id),
                model=_alone(model, index, target, inside),
            )


def _stands_alone(model: Model, inside: frozenset[str]) -> bool:
    """Whether nothing in it acts on the rest of the run, and nothing of the rest on it."""
    steps = [step for step in model.definition.steps if step.id in inside]
    if model.definition.reopen in inside or any(step.settings.get("terminate") for step in steps):
        return False
    named_inside = {name for step in steps for name in model.named[step.id]}
    named_outside = {name for name, names in model.named.items() if name not in inside and names & inside}
    return named_inside <= inside and not named_outside


def _alone(model: Model, index: int, target: str, inside: frozenset[str]) -> Model:
    arrows = [arrow for arrow in model.definition.transitions if arrow.source in inside]
    steps = [step for step in model.definition.steps if step.id in inside]
    entry = Transition(index=index, source=START, target=target)
    return model.drawn([Step(id=START, kind="start", name=START), *steps], [entry, *arrows])


def _without_deadlines(rest: Model, sides: tuple[Side, ...]) -> Iterator[Step]:
    gone = {(side.step, side.deadline) for side in sides}
    for step in rest.definition.steps:
        kept = [one for one in step.settings.get("deadlines", ()) if (step.id, one["id"]) not in gone]
        settings = {name: value for name, value in step.settings.items() if name != "deadlines"}
        yield replace(step, settings={**settings, "deadlines": kept} if kept else settings)
