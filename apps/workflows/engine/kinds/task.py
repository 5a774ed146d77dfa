from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.effects import OpenTask, WithdrawTask
from apps.workflows.engine.kinds.base import Policies, Working, step_problem
from apps.workflows.engine.kinds.rules import expressions_of
from apps.workflows.engine.marking import Token, Visit
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind

DONE = Outcome(id="done", label="Done")


class Task(Working):
    """A work item for people. It is begun when somebody takes it up; completing it begins it."""

    name = "task"

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        listed = source.get("outcomes", ())
        return tuple(_outcome(outcome) for outcome in listed) or (DONE,)

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        seen: set[str] = set()
        for outcome in step.outcomes:
            if outcome.id in seen:
                yield step_problem("duplicate_id", step, f"two outcomes are called {outcome.id!r}.", path="outcomes")
            seen.add(outcome.id)

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        yield from expressions_of(step.settings.get("assign", {}), "assign")
        for index, outcome in enumerate(step.outcomes):
            yield from expressions_of(outcome.by or {}, f"outcomes/{index}/by")

    def open(self, board: Board, token: Token, visit: Visit) -> None:
        board.emit(OpenTask(visit=visit.id, step=visit.step))

    def begin(self, board: Board, token: Token, visit: Visit) -> None:
        if visit.begun:
            board.tell(TraceKind.IGNORED, token, visit=visit.id)
        board.begin(token, visit)

    def complete(self, board: Board, token: Token, visit: Visit, outcome: str) -> None:
        self.complete_by(board, token, visit, outcome)

    def withdraw(self, board: Board, token: Token, visit: Visit) -> None:
        board.emit(WithdrawTask(visit=visit.id, step=visit.step))


def _outcome(source: Mapping[str, Any]) -> Outcome:
    return Outcome(
        id=source["id"],
        label=source.get("label", source["id"]),
        by=source.get("by"),
        comment=source.get("comment"),
    )
