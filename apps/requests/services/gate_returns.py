"""What an approval sends back must come to the requester, who is to mend it. Reads no database."""

from __future__ import annotations

from collections.abc import Iterator

from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.graph import reached
from apps.workflows.engine.problems import Problem

RETURN_WITHOUT_TASK = "return_without_task"


def returned_to_nobody(definition: Definition) -> Iterator[Problem]:
    """A problem for each approval whose `returned` arrow leads to no task of the requester before it leads back.

    The task need not be the next step. A child workflow on the way may hold it: it is not looked into. An approval that
    never sends back, or whose policy is not known and that has no such arrow, needs none.
    """
    for step in definition.steps:
        arrow = _taken_on_return(step, definition)
        if arrow is not None and not any(_asks_requester(one) for one in _beyond(arrow, definition)):
            text = f"Step {step.id!r}: what is sent back does not come to a task of the requester."
            path = f"transitions/{arrow.index}"
            yield Problem(code=RETURN_WITHOUT_TASK, message=text, step=step.id, transition=arrow.index, path=path)


def _taken_on_return(step: Step, definition: Definition) -> Transition | None:
    """Its arrow for the outcome, else the one that takes every outcome without an arrow of its own."""
    if step.kind != "approval" or all(outcome.id != "returned" for outcome in step.outcomes):
        return None
    arrows = {arrow.outcome: arrow for arrow in definition.arrows_from(step.id) if arrow.deadline is None}
    return arrows.get("returned") or arrows.get(None)


def _beyond(arrow: Transition, definition: Definition) -> Iterator[Step]:
    """The steps that the arrow leads to, before it leads back to the step it comes from."""
    return (definition.step(name) for name in reached(definition.graph, [arrow.target], without=arrow.source))


def _asks_requester(step: Step) -> bool:
    return step.kind == "subflow" or bool(step.kind == "task" and step.settings.get("assign", {}).get("requester"))
