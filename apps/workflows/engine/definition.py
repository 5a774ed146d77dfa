"""A compiled document: what a run can do. Frozen, because a published version never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


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
    """A step with the settings of its kind, as the document has them, and the outcomes it can be left by."""

    id: str
    kind: str
    name: str
    stage: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()

    def outcome(self, outcome_id: str) -> Outcome | None:
        """The outcome of that id, or None."""
        return next((outcome for outcome in self.outcomes if outcome.id == outcome_id), None)


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

    def arrows_from(self, step_id: str) -> tuple[Transition, ...]:
        """The arrows out of a step, in document order."""
        return self._arrows_from.get(step_id, ())

    def arrows_to(self, step_id: str) -> tuple[Transition, ...]:
        """The arrows into a step, in document order."""
        return self._arrows_to.get(step_id, ())

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
