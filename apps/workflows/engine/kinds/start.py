from __future__ import annotations

from collections.abc import Iterator

from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.kinds.base import Kind, Policies, step_problem
from apps.workflows.engine.marking import Token
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind


class Start(Kind):
    """Begins the run: its token leaves by its one arrow."""

    name = "start"

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        arrows = len(definition.arrows_from(step.id))
        if arrows != 1:
            yield step_problem("start_arrows", step, f"a start has exactly one arrow out, this one has {arrows}.")
        if definition.arrows_to(step.id):
            yield step_problem("start_arrows", step, "no arrow may lead into a start.")

    def move(self, board: Board, token: Token) -> None:
        (arrow,) = board.definition.arrows_from(token.step)
        board.tell(TraceKind.PASSED, token, transition=arrow.index)
        board.follow(token, arrow)
