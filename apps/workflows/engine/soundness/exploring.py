"""Whether every run of a document can end: `explore`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.soundness.ends import different_side_ends, outcomes, way_to_step
from apps.workflows.engine.soundness.findings import findings, problem_of, way_text
from apps.workflows.engine.soundness.frame import Frame
from apps.workflows.engine.soundness.model import Children, Model, model_of
from apps.workflows.engine.soundness.reduction import Reducer
from apps.workflows.engine.soundness.search import Budget, Space, search
from apps.workflows.engine.soundness.side import Side, apart

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
    models = [main, *(side.model for side in sides)]
    spaces = [Reducer(budget=budget).explored(model) for model in models]
    problems = [
        each for model, space in zip(models, spaces, strict=True) for each in _problems(model, space, definition)
    ]
    for side, space in zip(sides, spaces[1:], strict=True):
        problems += _side_problems(main, spaces[0], side, space, definition)
    verified = all(space.finished for space in spaces)
    if not verified:
        problems.append(_not_verified(budget))
    return Soundness(
        verified=verified, problems=tuple(problems), markings=budget.used, outcomes=_outcomes(spaces[0], spaces[1:])
    )


def _problems(model: Model, space: Space, definition: Definition) -> Iterator[Problem]:
    if next(findings(space), None) is not None:
        shown = _as_drawn(model, space)
        for finding in findings(shown):
            yield problem_of(finding, shown, definition)


def _side_problems(model: Model, main: Space, side: Side, space: Space, definition: Definition) -> Iterator[Problem]:
    """`main` is the space of the model that the side branch was taken out of."""
    found = list(different_side_ends(main, side, space)) if main.finished and space.finished else []
    if found:
        shown = _as_drawn(model, main)
        before = way_text(shown, way_to_step(shown, side.step))
        yield from (problem_of(finding, space, definition, before=before) for finding in found)


def _outcomes(main: Space, sides: Iterable[Space]) -> frozenset[str]:
    """Of the whole run: a side branch that comes to no end with an outcome leaves that to the others."""
    told = frozenset[str]().union(*(outcomes(space) for space in sides)) - {""}
    return told | {outcome or "cancelled" for outcome in outcomes(main)}


def _as_drawn(model: Model, space: Space) -> Space:
    """The space of the document as it is drawn, for ways that leave nothing out; where that is too large, as it was."""
    if not space.frame.model.groups:
        return space
    whole = search(Frame(model), Budget(most=MOST_TO_EXPLAIN))
    return whole if whole.finished else space


def _not_verified(budget: Budget) -> Problem:
    text = f"After {budget.used:,} markings not every run of this workflow has been looked at."
    return Problem(code="not_verified", severity=Severity.WARNING, message=text, path="steps")
