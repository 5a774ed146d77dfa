from __future__ import annotations

from collections.abc import Iterator

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.kinds.base import Kind, Policies, step_problem
from apps.workflows.engine.marking import Token
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind


class Choice(Kind):
    """Exclusive decision: the first arrow in document order whose guard holds, else `otherwise`."""

    name = "choice"
    conditions = frozenset({"when", "otherwise"})

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        arrows = definition.arrows_from(step.id)
        otherwise = [arrow for arrow in arrows if arrow.otherwise]
        if len(otherwise) != 1:
            text = f"a choice has exactly one arrow that says 'otherwise', this one has {len(otherwise)}."
            yield step_problem("otherwise", step, text)
        if any(arrow.when is None and not arrow.otherwise for arrow in arrows):
            yield step_problem("choice_arrow", step, "every arrow out of a choice says 'when' or 'otherwise'.")
        if any(arrow.when is not None and arrow.otherwise for arrow in arrows):
            yield step_problem("choice_arrow", step, "an arrow says 'when' or 'otherwise', not both.")
        if not any(arrow.when is not None for arrow in arrows):
            yield step_problem("does_nothing", step, "a choice without an arrow that says 'when' decides nothing.")

    def move(self, board: Board, token: Token) -> None:
        arrow = self._chosen(board, token)
        board.tell(TraceKind.PASSED, token, transition=arrow.index)
        board.follow(token, arrow)

    def skip(self, board: Board, spot: Spot, outcome: str | None) -> None:
        """Takes the arrow that says `otherwise`."""
        arrow = next(arrow for arrow in board.definition.arrows_from(spot.step) if arrow.otherwise)
        board.tell(TraceKind.PASSED, spot, transition=arrow.index)
        board.follow(spot.token, arrow)

    def _chosen(self, board: Board, token: Token) -> Transition:
        arrows = board.definition.arrows_from(token.step)
        guarded = (arrow for arrow in arrows if arrow.when is not None and board.holds(token, arrow.when))
        found = next(guarded, None)
        return found or next(arrow for arrow in arrows if arrow.otherwise)
