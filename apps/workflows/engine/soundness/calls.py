"""Workflows that run each other: which of them can end, and which keys are taken within another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.graph import reached
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.soundness.exploring import MOST, explore

Definitions = Mapping[str, Definition]


def can_end(
    definitions: Definitions, *, of: Iterable[str] | None = None, most: int = MOST
) -> Mapping[str, frozenset[str]]:
    """The outcomes that each workflow can end with, by its key; none where it cannot end.

    A workflow can end only if it can without child runs that cannot: the least fixpoint. One that is not among the
    definitions cannot. `of`: only these workflows and those they run, directly or not.
    """
    calls = {key: sorted(_called(definition)) for key, definition in definitions.items()}
    wanted = sorted(reached(calls, definitions if of is None else of) & definitions.keys())
    known: dict[str, frozenset[str]] = {key: frozenset() for key in wanted}
    waiting = wanted
    while waiting:
        changed = set()
        for key in waiting:
            found = explore(definitions[key], most=most, children=known).outcomes
            if found != known[key]:
                known[key] = found
                changed.add(key)
        waiting = [key for key in wanted if changed.intersection(calls[key])]
    return known


def nested_keys(definition: Definition, definitions: Definitions) -> tuple[Problem, ...]:
    """A warning for each child run that may take another key than the one its step holds.

    Keys are granted one by one while exploring, so runs that wait for each other's keys are not seen.
    """
    known = {**definitions, definition.workflow: definition}
    return tuple(_nested_keys(definition, known))


def _nested_keys(definition: Definition, definitions: Definitions) -> Iterator[Problem]:
    calls = {key: sorted(_called(each)) for key, each in definitions.items()}
    for index, step in enumerate(definition.steps):
        if step.kind == "subflow" and "exclusive" in step.settings:
            inside = reached(calls, [step.settings["workflow"]]) & definitions.keys()
            others = [key for key in sorted(inside) if _takes_another(definitions[key], step)]
            if others:
                yield _key_problem(index, step, others[0])


def _called(definition: Definition) -> set[str]:
    return {step.settings["workflow"] for step in definition.steps if step.kind == "subflow"}


def _takes_another(definition: Definition, holder: Step) -> bool:
    keys = {step.settings["exclusive"] for step in definition.steps if "exclusive" in step.settings}
    return bool(keys - {holder.settings["exclusive"]})


def _key_problem(index: int, step: Step, workflow: str) -> Problem:
    text = f"it holds a key while {workflow!r} may wait for another, so two runs may wait for each other for ever."
    return Problem(
        code="not_verified",
        severity=Severity.WARNING,
        step=step.id,
        message=f"Step {step.id!r}: {text}",
        path=f"steps/{index}/exclusive",
    )
