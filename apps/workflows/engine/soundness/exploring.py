"""Whether every run of a document can end: `explore`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.soundness.findings import findings, outcomes, problem_of
from apps.workflows.engine.soundness.frame import Frame
from apps.workflows.engine.soundness.model import Children, Model, model_of
from apps.workflows.engine.soundness.reduction import Reducer
from apps.workflows.engine.soundness.search import Budget, Space, search
from apps.workflows.engine.soundness.side import apart

MOST = 50_000
MOST_TO_EXPLAIN = 5_000


@dataclass(frozen=True, kw_only=True)
class Soundness:
    """What exploring a document has found, errors and warnings.

    `verified`: every marking was looked at. `markings`: how many that were. `outcomes`: those a run can end with.
    """

    verified: bool
    problems: tuple[Problem, ...]
    markings: int
    outcomes: frozenset[str]

    @property
    def sound(self) -> bool:
        """Whether every marking was looked at and nothing is wrong; warnings do not count."""
        return self.verified and not any(problem.severity is Severity.ERROR for problem in self.problems)


def explore(
    definition: Definition,
    *,
    most: int = MOST,
    progress: Callable[[int], None] | None = None,
    children: Children | None = None,
) -> Soundness:
    """Plays every run of the document with the planner itself, guards left open.

    `children`: the outcomes that the workflows it runs can end with, by their keys; one that is missing or has none
    never ends. None: every child run can end. `progress` is told the number of markings at every 500. Past `most`
    markings the answer is not verified, with a warning that says so.
    """
    budget = Budget(most=most, progress=progress)
    main, sides = apart(model_of(definition, children))
    parts = [_part(model, definition, budget) for model in (main, *(side.model for side in sides))]
    problems = [problem for part in parts for problem in part.problems]
    verified = all(part.verified for part in parts)
    if not verified:
        problems.append(_not_verified(budget))
    return Soundness(
        verified=verified,
        problems=tuple(problems),
        markings=budget.used,
        outcomes=frozenset().union(*(part.outcomes for part in parts)),
    )


def _part(model: Model, definition: Definition, budget: Budget) -> Soundness:
    space = Reducer(budget=budget).explored(model)
    found = list(findings(space))
    shown = _as_drawn(model, space) if any(each.severity is Severity.ERROR for each in found) else space
    return Soundness(
        verified=space.finished,
        problems=tuple(problem_of(finding, shown, definition) for finding in findings(shown)),
        markings=len(space.states),
        outcomes=outcomes(space),
    )


def _as_drawn(model: Model, space: Space) -> Space:
    """The space of the document as it is drawn, for ways that leave nothing out; where that is too large, as it was."""
    if not space.frame.model.groups:
        return space
    whole = search(Frame(model), Budget(most=MOST_TO_EXPLAIN))
    return whole if whole.finished else space


def _not_verified(budget: Budget) -> Problem:
    text = f"After {budget.used:,} markings not every run of this workflow has been looked at."
    return Problem(code="not_verified", severity=Severity.WARNING, message=text, path="steps")
