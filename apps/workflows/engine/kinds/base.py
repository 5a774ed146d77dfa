"""What every step kind answers: how its steps are drawn, and what a token does there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, ClassVar

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Outcome, Step, Transition
from apps.workflows.engine.marking import Token, Visit
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind

Policies = Mapping[str, Mapping[str, Any]]


class Phase(IntEnum):
    """In which order tokens move: those of a later phase wait until no token of an earlier one moves."""

    FIRST = 0
    ACTIVE_JOINS = 1
    ONLY_WHILE = 2


class Kind:
    """A step kind. Instances hold nothing.

    `working`: a visit to such a step is work for somebody or something, told in the trace. `conditions`: what arrows
    out of it may carry. `own_arrow_only`: outcomes that an arrow without `outcome` does not take.
    """

    name: ClassVar[str]
    working: ClassVar[bool] = False
    conditions: ClassVar[frozenset[str]] = frozenset()
    own_arrow_only: ClassVar[frozenset[str]] = frozenset()

    # the document

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        """The outcomes that a step of the document (as JSON) can be left by."""
        return ()

    def optional(self, step: Step, policies: Policies) -> frozenset[str]:
        """The outcomes that need no arrow."""
        return frozenset()

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        """What is wrong with the step beyond the schema, its expressions and the match of outcomes and arrows."""
        return iter(())

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        """Every expression in the step's settings: where (a path within the step), its text, whether a condition."""
        return iter(())

    def keeps(self, step: Step, message: str) -> bool:
        """Whether early messages of that name are kept for the step."""
        return False

    # the run

    def phase(self, board: Board, token: Token) -> Phase | None:
        """When the token moves by itself, or None where it rests. One that has a visit rests."""
        return None if token.visits else Phase.FIRST

    def move(self, board: Board, token: Token) -> None:
        """Lets the token do what it does by itself. Raises guards.GuardFailed."""
        raise NotImplementedError

    def withdraw(self, board: Board, token: Token, visit: Visit) -> None:
        """Says what has to be taken back with the visit."""

    def retry(self, board: Board, token: Token, visit: Visit) -> None:
        """Tries again what failed. Raises guards.GuardFailed."""
        board.rest(token)

    def begin(self, board: Board, token: Token, visit: Visit) -> None:
        """Takes Begin. Raises TransitionNotAllowed."""
        raise _not_allowed(visit, "cannot be taken up")

    def complete(self, board: Board, token: Token, visit: Visit, outcome: str) -> None:
        """Takes Complete. Raises TransitionNotAllowed."""
        raise _not_allowed(visit, "cannot be completed by anybody")

    def timer_fired(self, board: Board, token: Token, visit: Visit) -> None:
        """Takes TimerFired. Raises TransitionNotAllowed."""
        raise _not_allowed(visit, "has no timer")

    def action_done(self, board: Board, token: Token, visit: Visit) -> None:
        """Takes ActionDone. Raises TransitionNotAllowed."""
        raise _not_allowed(visit, "runs no action")

    def action_failed(self, board: Board, token: Token, visit: Visit, reason: str) -> None:
        """Takes ActionFailed. Raises TransitionNotAllowed."""
        raise _not_allowed(visit, "runs no action")

    def message(self, board: Board, token: Token, visit: Visit, name: str, key: str) -> bool:
        """Takes a message if the visit waits for it, and says whether it did."""
        return False


class Working(Kind):
    """A kind whose visits are work. A visit is begun when it opens, if the kind does not say otherwise."""

    working = True
    conditions = frozenset({"outcome"})

    def move(self, board: Board, token: Token) -> None:
        token, visit = board.open_visit(token)
        self.open(board, token, visit)

    def retry(self, board: Board, token: Token, visit: Visit) -> None:
        self.open(board, token, visit)

    def open(self, board: Board, token: Token, visit: Visit) -> None:
        """Lets the work of the visit begin. Raises guards.GuardFailed; then nothing has begun."""
        raise NotImplementedError

    def leave(self, board: Board, token: Token, visit: Visit, outcome: str) -> None:
        """Ends the visit by an outcome and moves its token along the arrow. Raises TransitionNotAllowed."""
        arrow = self.arrow(board.definition, visit.step, outcome)
        if arrow is None:
            raise _not_allowed(visit, f"cannot be left by {outcome!r}: no arrow leads on")
        token, visit = board.begin(token, visit)
        board.tell(TraceKind.ENDED, token, visit=visit.id, outcome=outcome, transition=arrow.index)
        board.follow(token, arrow)

    def complete_by(self, board: Board, token: Token, visit: Visit, outcome: str) -> None:
        """`leave`, for an outcome that came from outside. Raises TransitionNotAllowed."""
        step = board.step_of(token)
        if step.outcome(outcome) is None:
            known = ", ".join(known.id for known in step.outcomes)
            raise _not_allowed(visit, f"has no outcome {outcome!r}, only {known}")
        self.leave(board, token, visit, outcome)

    def arrow(self, definition: Definition, step_id: str, outcome: str) -> Transition | None:
        """The arrow of that outcome, else the one without `outcome`."""
        arrows = [arrow for arrow in definition.arrows_from(step_id) if arrow.deadline is None]
        own = next((arrow for arrow in arrows if arrow.outcome == outcome), None)
        if own is not None or outcome in self.own_arrow_only:
            return own
        return next((arrow for arrow in arrows if arrow.outcome is None), None)


def step_problem(code: str, step: Step, text: str, *, path: str = "") -> Problem:
    """A problem of a step; `path` is a path within it."""
    return Problem(code=code, step=step.id, message=f"Step {step.id!r}: {text}", path=path)


def _not_allowed(visit: Visit, what: str) -> TransitionNotAllowed:
    return TransitionNotAllowed(f"Step {visit.step!r} (visit {visit.id}) {what}.")
