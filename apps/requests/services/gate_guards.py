"""Guards against the forms: those of a workflow, of the policies it names, and of the workflows it runs as children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from apps.requests.services.gate_forms import Fields, Forms, extra_fields, same_name_other_type, shapes_for
from apps.workflows.engine.attributes import instances
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.graph import reached, turned
from apps.workflows.engine.guard_types import Shape, check_types
from apps.workflows.engine.kinds.rules import expressions_of_policy
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.structure import FoundExpression, expressions_of

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What guards are checked against: every workflow that is known by its key, the policies by theirs, the forms."""

    known: Mapping[str, Definition]
    policies: Mapping[str, Document]
    forms: Forms

    @cached_property
    def calls(self) -> dict[str, list[str]]:
        """The workflows that each one's steps run as children."""
        return {key: sorted(_called(each)) for key, each in self.known.items()}

    def run_by(self, *keys: str) -> frozenset[str]:
        """The workflows and every one that they run, directly or not."""
        return reached(self.calls, keys) & self.known.keys()

    def that_run(self, *keys: str) -> frozenset[str]:
        """The workflows and every one that runs them, directly or not."""
        return reached(turned(self.calls), keys) & self.known.keys()

    def shapes(self, key: str, *, roots: Iterable[str]) -> tuple[Shape, ...]:
        """What `request.data` may hold in the workflow, in runs of these roots: all children write to one request."""
        return shapes_for(key, roots={root: self.written(root) for root in sorted(roots)}, forms=self.forms)

    def written(self, root: str) -> Fields:
        return extra_fields((step for key in sorted(self.run_by(root)) for step in _steps(self.known[key])), self.forms)


def guard_problems(key: str, around: Surroundings) -> Iterator[Problem]:
    """What does not fit the forms of the items that may lead to the workflow, by their rules or through a caller.

    Its own expressions and those of the policies it names; then those of each workflow that it runs, as problems of
    the step that leads there. A workflow that no item leads to is checked without knowing `request.data`.
    """
    definition, roots = around.known[key], around.that_run(key)
    yield from own_guard_problems(key, around)
    for child in sorted(around.run_by(key) - {key}):
        index, step = _leading_to(child, definition, around)
        for problem in guard_problems_in(around.known[child], around.shapes(child, roots=roots), around):
            message = f"Step {step.id!r}, in the workflow {child!r}: {problem.message}"
            yield replace(problem, message=message, step=step.id, transition=None, path=f"steps/{index}/workflow")


def own_guard_problems(key: str, around: Surroundings) -> Iterator[Problem]:
    """The same without those of the workflows that it runs."""
    shapes = around.shapes(key, roots=around.that_run(key))
    yield from guard_problems_in(around.known[key], shapes, around)


def guard_problems_in(definition: Definition, shapes: Sequence[Shape], around: Surroundings) -> Iterator[Problem]:
    """What does not fit these shapes: its own expressions and those of the policies it names."""
    yield from same_name_other_type(_steps(definition), shapes, around.forms)
    for found in (*expressions_of(definition), *_expressions_of_policies(definition, around.policies)):
        for problem in check_types(found.source, shapes, boolean=found.is_condition, instance=found.in_instance):
            yield Problem(
                code=problem.code,
                message=f"{found.where}: {problem.message}",
                step=found.step,
                transition=found.transition,
                path=found.path,
            )


def _expressions_of_policies(definition: Definition, policies: Mapping[str, Document]) -> Iterator[FoundExpression]:
    """Those of the policies that steps name: they see what their step sees."""
    for index, step in enumerate(definition.steps):
        name = step.settings.get("policy_ref", "")
        for path, source, is_condition in expressions_of_policy(policies[name], "") if name in policies else ():
            yield FoundExpression(
                source=source,
                is_condition=is_condition,
                where=f"Step {step.id!r}, policy {name!r}, {path.removeprefix('/')}",
                path=f"steps/{index}/policy_ref",
                step=step.id,
                in_instance=instances.expected(step),
            )


def _leading_to(child: str, definition: Definition, around: Surroundings) -> tuple[int, Step]:
    """The first step whose child run is, or leads to, a run of that workflow."""
    return next(
        (index, step)
        for index, step in enumerate(definition.steps)
        if step.kind == "subflow" and child in around.run_by(step.settings["workflow"])
    )


def _called(definition: Definition) -> set[str]:
    return {step.settings["workflow"] for step in definition.steps if step.kind == "subflow"}


def _steps(definition: Definition) -> list[dict[str, Any]]:
    """The steps as the document has them, as far as forms are concerned."""
    return [{"id": step.id, **step.settings} for step in definition.steps]
