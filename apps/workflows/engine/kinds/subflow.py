from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Outcome, Step
from apps.workflows.engine.effects import SetFields, StartChild, WithdrawChild
from apps.workflows.engine.kinds.base import Policies
from apps.workflows.engine.kinds.working import Working
from apps.workflows.engine.values import plain_value

OUTCOMES = (
    Outcome(id="completed", label="Completed"),
    Outcome(id="rejected", label="Rejected"),
    Outcome(id="cancelled", label="Cancelled"),
)


class Subflow(Working):
    """Runs another published workflow as a child and is left by the child's outcome.

    `input` is read when the child starts: it sees it as `run.input`. `output` is read when it ends, `run` being the
    child's, and is written to the request's data.
    """

    name = "subflow"

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        return OUTCOMES

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        for group in ("input", "output"):
            for name, expression in step.settings.get(group, {}).items():
                yield f"{group}/{name}", expression, False

    def open(self, board: Board, spot: Spot) -> None:
        settings = board.definition.step(spot.step).settings
        given = {name: plain_value(board, spot, text) for name, text in settings.get("input", {}).items()}
        board.emit(StartChild(**spot.of, workflow=settings["workflow"], input=given))

    def child_ended(self, board: Board, spot: Spot, outcome: str, run: Mapping[str, Any]) -> None:
        ended = board.change_part(spot, child={"outcome": outcome, "run": dict(run)})
        board.attempt(ended, lambda: self._take_over(board, ended))

    def retry(self, board: Board, spot: Spot) -> None:
        """Reads the output of a child that has ended again, or starts the child again."""
        if _child(spot) is None:
            super().retry(board, spot)
        else:
            self._take_over(board, spot)

    def _take_over(self, board: Board, spot: Spot) -> None:
        child = _child(spot) or {}
        expressions = board.setting(spot, "output") or {}
        if expressions:
            seen = {**board.facts, "run": child["run"]}
            fields = {name: plain_value(board, spot, text, facts=seen) for name, text in expressions.items()}
            board.emit(SetFields(visit=spot.visit.id, step=spot.step, fields=fields))
        self.done(board, board.change_part(spot, child=None), child["outcome"])

    def action_failed(self, board: Board, spot: Spot, reason: str) -> None:
        """The child could not be started."""
        board.fail(spot, reason=reason)

    def take_back(self, board: Board, spot: Spot) -> None:
        board.emit(WithdrawChild(**spot.of))


def _child(spot: Spot) -> Mapping[str, Any] | None:
    """How the child run ended that the spot's visit (its instance) started, or None."""
    return spot.visit.child if spot.part is None else spot.part.child
