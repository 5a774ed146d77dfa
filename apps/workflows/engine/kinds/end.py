from __future__ import annotations

from collections.abc import Iterator

from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.kinds.base import Kind, Policies, step_problem
from apps.workflows.engine.marking import Token
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind


class End(Kind):
    """Takes its token. One that terminates withdraws every other token too and decides the outcome."""

    name = "end"
    gathers = True

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        if definition.arrows_from(step.id):
            yield step_problem("end_arrows", step, "no arrow may lead out of an end.")

    def move(self, board: Board, token: Token) -> None:
        settings = board.step_of(token).settings
        outcome = settings.get("outcome")
        board.tell(TraceKind.PASSED, token, outcome=outcome)
        board.take(token)
        board.outcome = outcome or board.outcome
        if settings.get("terminate"):
            board.withdraw_all()
