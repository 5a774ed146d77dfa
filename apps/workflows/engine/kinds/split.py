from __future__ import annotations

from collections.abc import Iterator

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.kinds.base import Kind, Policies, step_problem
from apps.workflows.engine.marking import Token
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind


class Split(Kind):
    """Parallel: a token for every arrow; with `when` inclusive: for those whose guard holds, `otherwise` if none does.

    An arrow without a guard is always taken. Equal arrows start several threads.
    """

    name = "split"
    several_threads = True
    conditions = frozenset({"when", "otherwise"})

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        arrows = definition.arrows_from(step.id)
        otherwise = [arrow for arrow in arrows if arrow.otherwise]
        guarded = [arrow for arrow in arrows if arrow.when is not None]
        if len(arrows) < 2:
            yield step_problem(
                "does_nothing", step, f"a split has at least two arrows out, this one has {len(arrows)}."
            )
        if len(otherwise) > 1:
            yield step_problem("otherwise", step, f"only one arrow can say 'otherwise', here {len(otherwise)} do.")
        if any(arrow.when is not None for arrow in otherwise):
            yield step_problem("split_arrow", step, "an arrow says 'when' or 'otherwise', not both.")
        if guarded and len(guarded) == len(arrows):
            yield step_problem("otherwise", step, "every arrow has a guard, so one must say 'otherwise'.")
        if otherwise and len(guarded) + len(otherwise) < len(arrows):
            yield step_problem("does_nothing", step, "'otherwise' is never taken: another arrow always is.")
        if otherwise and not guarded:
            yield step_problem("does_nothing", step, "'otherwise' needs an arrow that says 'when'.")

    def move(self, board: Board, token: Token) -> None:
        self._leave(board, token, self._taken(board, token))

    def skip(self, board: Board, spot: Spot, outcome: str | None) -> None:
        """Takes the arrows without a guard and `otherwise`."""
        arrows = [arrow for arrow in board.definition.arrows_from(spot.step) if arrow.when is None]
        if not arrows:
            raise TransitionNotAllowed(f"Step {spot.step!r} has no arrow without a guard.")
        self._leave(board, spot.token, arrows)

    def _taken(self, board: Board, token: Token) -> list[Transition]:
        arrows = board.definition.arrows_from(token.step)
        taken = [
            arrow for arrow in arrows if not arrow.otherwise and (arrow.when is None or board.holds(token, arrow.when))
        ]
        return taken or [arrow for arrow in arrows if arrow.otherwise]

    def _leave(self, board: Board, token: Token, arrows: list[Transition]) -> None:
        for arrow in arrows:
            board.tell(TraceKind.PASSED, token, transition=arrow.index)
        board.follow(token, arrows[0])
        for arrow in arrows[1:]:
            board.branch_off(token, arrow)
