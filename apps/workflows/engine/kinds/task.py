from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.effects import OpenTask, WithdrawTask
from apps.workflows.engine.kinds.base import Policies, step_problem
from apps.workflows.engine.kinds.rules import expressions_of
from apps.workflows.engine.kinds.working import Working
from apps.workflows.engine.marking import InstanceStatus
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind

DONE = Outcome(id="done", label="Done")


class Task(Working):
    """A work item for people. It is begun when somebody takes it up; completing it begins it."""

    name = "task"
    by_hand = True

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        listed = source.get("outcomes", ())
        return tuple(_outcome(outcome) for outcome in listed) or (DONE,)

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        seen: set[str] = set()
        for outcome in step.work_outcomes:
            if outcome.id in seen:
                yield step_problem("duplicate_id", step, f"two outcomes are called {outcome.id!r}.", path="outcomes")
            seen.add(outcome.id)

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        yield from expressions_of(step.settings.get("assign", {}), "assign")
        for index, outcome in enumerate(step.work_outcomes):
            yield from expressions_of(outcome.by or {}, f"outcomes/{index}/by")

    def open(self, board: Board, spot: Spot) -> None:
        board.emit(OpenTask(**spot.of, item=spot.part.item if spot.part else None))

    def begin(self, board: Board, spot: Spot) -> None:
        self._demand_open(spot)
        begun = spot.part.status is InstanceStatus.BEGUN if spot.part else spot.visit.begun
        if begun:
            board.tell(TraceKind.IGNORED, spot)
        else:
            self.begin_visit(board, spot)

    def complete(self, board: Board, spot: Spot, outcome: str) -> None:
        self.complete_by(board, spot, outcome)

    def take_back(self, board: Board, spot: Spot) -> None:
        board.emit(WithdrawTask(**spot.of))


def _outcome(source: Mapping[str, Any]) -> Outcome:
    return Outcome(
        id=source["id"],
        label=source.get("label", source["id"]),
        by=source.get("by"),
        comment=source.get("comment"),
    )
