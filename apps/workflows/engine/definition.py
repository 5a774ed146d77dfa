"""A compiled document: what a run can do. Frozen, because a published version never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from apps.workflows.engine.graph import dominators, reached, turned


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A named group of steps, shown to people."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A way to leave a step. `by` is the rule of who may pick it, `comment` is `required` or None."""

    id: str
    label: str
    by: Mapping[str, Any] | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Transition:
    """An arrow. `index` is its place in the document, which is also its order."""

    index: int
    source: str
    target: str
    outcome: str | None = None
    when: str | None = None
    otherwise: bool = False
    deadline: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step with the settings of its kind, as the document has them.

    `outcomes` are those it can be left by, `work_outcomes` those its work can end by: another set only where it has
    instances, which end by these, while the step is left by `done`.
    """

    id: str
    kind: str
    name: str
    stage: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    work_outcomes: tuple[Outcome, ...] = ()

    def outcome(self, outcome_id: str) -> Outcome | None:
        """The outcome of that id, of the step or of its work, or None."""
        return next((one for one in (*self.outcomes, *self.work_outcomes) if one.id == outcome_id), None)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A workflow as the engine runs it. Steps and transitions are in document order.

    `layout`: where somebody placed the steps in a drawing, the centre by step id, in pixels.
    """

    workflow: str
    name: str
    format: int
    reopen: str | None
    stages: tuple[Stage, ...]
    steps: tuple[Step, ...]
    transitions: tuple[Transition, ...]
    hash: str
    layout: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @cached_property
    def start(self) -> Step:
        """The one step of kind `start`."""
        return next(step for step in self.steps if step.kind == "start")

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises KeyError."""
        return self._steps[step_id]

    def has_step(self, step_id: str) -> bool:
        return step_id in self._steps

    def stage(self, stage_id: str) -> Stage | None:
        """The stage of that id, or None."""
        return next((one for one in self.stages if one.id == stage_id), None)

    def arrows_from(self, step_id: str) -> tuple[Transition, ...]:
        """The arrows out of a step, in document order."""
        return self._arrows_from.get(step_id, ())

    def arrows_to(self, step_id: str) -> tuple[Transition, ...]:
        """The arrows into a step, in document order."""
        return self._arrows_to.get(step_id, ())

    @cached_property
    def graph(self) -> Mapping[str, tuple[str, ...]]:
        """The steps that follow each step, over arrows of every sort."""
        return {
            step.id: tuple(dict.fromkeys(arrow.target for arrow in self.arrows_from(step.id))) for step in self.steps
        }

    def reachable(self, step_id: str) -> frozenset[str]:
        """The steps some way leads to from the step; itself only where it is in a loop."""
        if step_id not in self._reachable:
            self._reachable[step_id] = reached(self.graph, self.graph[step_id])
        return self._reachable[step_id]

    def branches(self, join_id: str) -> tuple[str, ...]:
        """The branches of a join: the steps with an arrow into it, each once, in document order of their arrows."""
        if join_id not in self._branches:
            self._branches[join_id] = tuple(dict.fromkeys(arrow.source for arrow in self.arrows_to(join_id)))
        return self._branches[join_id]

    def fork(self, join_id: str) -> str:
        """The last step that every way from the start to the join has in common."""
        return self._forks.get(join_id, self.start.id)

    def block(self, join_id: str) -> frozenset[str]:
        """Every step from which the join can be reached without passing its fork again, and the fork itself."""
        if join_id not in self._blocks:
            fork = self.fork(join_id)
            self._blocks[join_id] = reached(self._backward, self._backward.get(join_id, ()), without=fork) | {fork}
        return self._blocks[join_id]

    @cached_property
    def _forks(self) -> dict[str, str]:
        return dominators(self.graph, self.start.id)

    @cached_property
    def _backward(self) -> dict[str, list[str]]:
        return turned(self.graph)

    @cached_property
    def _reachable(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _branches(self) -> dict[str, tuple[str, ...]]:
        return {}

    @cached_property
    def _blocks(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def _arrows_from(self) -> dict[str, tuple[Transition, ...]]:
        return _grouped((arrow.source, arrow) for arrow in self.transitions)

    @cached_property
    def _arrows_to(self) -> dict[str, tuple[Transition, ...]]:
        return _grouped((arrow.target, arrow) for arrow in self.transitions)


def _grouped(pairs: Iterable[tuple[str, Transition]]) -> dict[str, tuple[Transition, ...]]:
    groups: dict[str, list[Transition]] = {}
    for key, arrow in pairs:
        groups.setdefault(key, []).append(arrow)
    return {key: tuple(arrows) for key, arrows in groups.items()}
