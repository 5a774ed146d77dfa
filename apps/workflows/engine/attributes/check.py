"""What the attributes of a working step ask of each other and of the rest of the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.attributes import instances
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.graph import reached
from apps.workflows.engine.problems import Problem, step_problem

WITH_INSTANCES = ("mode", "done_when", "open_ended", "cancel_rest")
SORTS = ("seconds", "business_seconds", "until")


def check_attributes(step: Step, definition: Definition) -> Iterator[Problem]:
    """Every problem of instances, deadlines, `only_while` and `cancels`."""
    yield from _check_instances(step)
    yield from _check_deadlines(step, definition)
    yield from _check_only_while(step, definition)
    yield from _check_cancels(step, definition)


def expressions_of_attributes(step: Step) -> Iterator[tuple[str, str, bool]]:
    """Every expression in the attributes: where (a path within the step), its text, whether a condition."""
    for name in ("for_each", "count", "exclusive"):
        if isinstance(step.settings.get(name), str):
            yield name, step.settings[name], False
    if "done_when" in step.settings:
        yield "done_when", step.settings["done_when"], True
    for index, deadline in enumerate(step.settings.get("deadlines", ())):
        if "until" in deadline["after"]:
            yield f"deadlines/{index}/after/until", deadline["after"]["until"], False


def duration_problem(spec: Mapping[str, Any]) -> str | None:
    """Why a duration cannot be kept, or None: exactly one of seconds, business_seconds (with calendar), until."""
    if sum(sort in spec for sort in SORTS) != 1:
        return f"says exactly one of {', '.join(SORTS)}"
    if ("business_seconds" in spec) != ("calendar" in spec):
        return "business_seconds and the key of a calendar belong together"
    return None


def _check_instances(step: Step) -> Iterator[Problem]:
    if "for_each" in step.settings and "count" in step.settings:
        yield step_problem("instances", step, "says 'for_each' or 'count', not both.", path="count")
    if not instances.expected(step):
        for name in WITH_INSTANCES:
            if name in step.settings:
                text = f"{name!r} belongs to a step with 'for_each' or 'count'."
                yield step_problem("instances", step, text, path=name)
    elif step.settings.get("cancel_rest") and "done_when" not in step.settings:
        text = "'cancel_rest' does nothing without 'done_when': nothing is left when all are complete."
        yield step_problem("does_nothing", step, text, path="cancel_rest")


def _check_deadlines(step: Step, definition: Definition) -> Iterator[Problem]:
    deadlines = step.settings.get("deadlines", ())
    arrows = [arrow for arrow in definition.arrows_from(step.id) if arrow.deadline is not None]
    led = Counter(arrow.deadline for arrow in arrows)
    known = [deadline["id"] for deadline in deadlines]
    for arrow in arrows:
        if arrow.deadline not in known:
            where = f"Transition {arrow.index} ({arrow.source} → {arrow.target})"
            text = f"{where}: {step.id!r} has no deadline {arrow.deadline!r}."
            path = f"transitions/{arrow.index}"
            yield Problem(code="unknown_deadline", message=text, transition=arrow.index, path=path)
    for index, deadline in enumerate(deadlines):
        path = f"deadlines/{index}"
        if known.index(deadline["id"]) != index:
            yield step_problem("duplicate_id", step, f"two deadlines are called {deadline['id']!r}.", path=path)
        elif led[deadline["id"]] != 1:
            text = f"the deadline {deadline['id']!r} needs exactly one arrow, it has {led[deadline['id']]}."
            yield step_problem("deadline_without_arrow", step, text, path=path)
        problem = duration_problem(deadline["after"])
        if problem:
            yield step_problem("deadline", step, f"the deadline {deadline['id']!r} {problem}.", path=f"{path}/after")
    yield from _check_side_branches(step, definition)


def _check_side_branches(step: Step, definition: Definition) -> Iterator[Problem]:
    """What a deadline that does not interrupt leads to has no other way in and ends by itself."""
    for index, target in side_branches(step, definition).items():
        inside = reached(definition.graph, [target])
        for name in sorted(inside):
            others = [
                arrow for arrow in definition.arrows_to(name) if arrow.source not in inside and arrow.index != index
            ]
            if others:
                text = f"the side branch of a deadline of {step.id!r} leads to {name!r}, which has another way in."
                yield step_problem("side_branch", step, text, path="deadlines")


def side_branches(step: Step, definition: Definition) -> dict[int, str]:
    """The first step of each side branch of the step, by the index of the deadline's arrow."""
    aside = {one["id"] for one in step.settings.get("deadlines", ()) if not one.get("interrupt")}
    arrows = definition.arrows_from(step.id)
    return {
        arrow.index: arrow.target for arrow in arrows if arrow.deadline in aside and definition.has_step(arrow.target)
    }


def _check_only_while(step: Step, definition: Definition) -> Iterator[Problem]:
    watched = step.settings.get("only_while")
    if watched is None:
        return
    if not definition.has_step(watched):
        yield step_problem("unknown_step", step, f"there is no step {watched!r} to be open.", path="only_while")
    elif watched == step.id:
        yield step_problem("only_while", step, "a step cannot wait for itself to be open.", path="only_while")
    elif not definition.step(watched).work_outcomes:
        text = f"{watched!r} is a step of kind {definition.step(watched).kind!r}, which is never open."
        yield step_problem("only_while", step, text, path="only_while")


def _check_cancels(step: Step, definition: Definition) -> Iterator[Problem]:
    for index, listed in enumerate(step.settings.get("cancels", ())):
        path = f"cancels/{index}"
        if not definition.has_step(listed):
            yield step_problem("unknown_step", step, f"there is no step {listed!r} to cancel.", path=path)
        elif listed == step.id:
            yield step_problem("cancels", step, "a step may not cancel itself.", path=path)
        elif definition.step(listed).kind in ("start", "choice", "split", "end"):
            text = f"{listed!r} is a step of kind {definition.step(listed).kind!r}: no token ever waits there."
            yield step_problem("does_nothing", step, text, path=path)
