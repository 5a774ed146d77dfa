"""What every step kind answers: how its steps are drawn, and what a token does there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, ClassVar

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.marking import Token, Visit
from apps.workflows.engine.problems import Problem, step_problem

__all__ = ["Kind", "Phase", "Policies", "not_allowed", "step_problem"]

Policies = Mapping[str, Mapping[str, Any]]


class Phase(IntEnum):
    """In which order tokens move: those of a later phase wait until no token of an earlier one moves."""

    FIRST = 0
    ACTIVE_JOINS = 1
    ONLY_WHILE = 2


class Kind:
    """A step kind. Instances hold nothing.

    `working`: a visit to such a step is work for somebody or something, told in the trace. `conditions`: what arrows
    out of it may carry. `own_arrow_only`: outcomes that an arrow without `outcome` does not take. `gathers`: branches
    may meet here without saying `merge`. `several_threads`: equal arrows out of it are several threads.
    """

    name: ClassVar[str]
    working: ClassVar[bool] = False
    gathers: ClassVar[bool] = False
    several_threads: ClassVar[bool] = False
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

    def phase(self, step: Step) -> Phase:
        """When tokens at the step move by themselves."""
        return Phase.FIRST

    def moves(self, board: Board, token: Token) -> bool:
        """Whether the token moves by itself now. One that has a visit rests."""
        return not token.visits

    def move(self, board: Board, token: Token) -> None:
        """Lets the token do what it does by itself. Raises guards.GuardFailed."""
        raise NotImplementedError

    def offer(self, board: Board, spot: Spot) -> None:
        """Opens the visit's work without beginning it: it competes in a race. Raises guards.GuardFailed."""
        raise not_allowed(spot.visit, "cannot compete in a race")

    def is_over_at_once(self, board: Board, token: Token, step: Step) -> bool:
        """Whether a visit to the step would be over at once. Raises guards.GuardFailed."""
        return False

    def withdraw_visit(self, board: Board, spot: Spot) -> None:
        """Says what has to be taken back with the visit."""

    def retry(self, board: Board, spot: Spot) -> None:
        """Tries again what failed. Raises guards.GuardFailed."""
        board.rest(spot.token)

    def skip(self, board: Board, spot: Spot, outcome: str | None) -> None:
        """Goes on as if the step had ended. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "cannot be skipped; move its token instead")

    def begin(self, board: Board, spot: Spot) -> None:
        """Takes Begin. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "cannot be taken up")

    def complete(self, board: Board, spot: Spot, outcome: str) -> None:
        """Takes Complete. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "cannot be completed by anybody")

    def timer_fired(self, board: Board, spot: Spot, deadline: str | None) -> None:
        """Takes TimerFired. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "has no timer")

    def key_granted(self, board: Board, spot: Spot) -> None:
        """Takes KeyGranted. Raises TransitionNotAllowed, guards.GuardFailed."""
        raise not_allowed(spot.visit, "needs no key")

    def action_done(self, board: Board, spot: Spot) -> None:
        """Takes ActionDone. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "runs no action")

    def action_failed(self, board: Board, spot: Spot, reason: str) -> None:
        """Takes ActionFailed. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "runs no action")

    def child_ended(self, board: Board, spot: Spot, outcome: str, run: Mapping[str, Any]) -> None:
        """Takes ChildEnded. Raises TransitionNotAllowed, guards.GuardFailed."""
        raise not_allowed(spot.visit, "has no child run")

    def message(self, board: Board, spot: Spot, name: str, key: str, payload: Any) -> bool:
        """Takes a message if the visit waits for it, and says whether it did."""
        return False

    def add_instance(self, board: Board, spot: Spot, item: Any) -> None:
        """Takes AddInstance. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "has no instances")

    def close_instances(self, board: Board, spot: Spot) -> None:
        """Takes CloseInstances. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "has no instances")

    def finish_instances(self, board: Board, spot: Spot) -> None:
        """Takes FinishInstances. Raises TransitionNotAllowed."""
        raise not_allowed(spot.visit, "has no instances")


def not_allowed(visit: Visit, what: str) -> TransitionNotAllowed:
    """The refusal of something that a visit cannot do."""
    return TransitionNotAllowed(f"Step {visit.step!r} (visit {visit.id}) {what}.")
