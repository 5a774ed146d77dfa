from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.effects import RunAction
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.engine.kinds.base import Policies, Working, step_problem
from apps.workflows.engine.kinds.rules import expressions_in
from apps.workflows.engine.marking import Token, Visit
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind

DONE = Outcome(id="done", label="Done")
FAILED = Outcome(id="failed", label="Failed")
AVAILABLE = frozenset({"set_fields", "comment", "notify"})


class Action(Working):
    """Does something by itself. Left by `done`; after its retries by `failed`, where that has an arrow of its own."""

    name = "action"
    own_arrow_only = frozenset({FAILED.id})

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        return DONE, FAILED

    def optional(self, step: Step, policies: Policies) -> frozenset[str]:
        return frozenset({FAILED.id})

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        action = step.settings["action"]
        if action not in AVAILABLE:
            yield step_problem("not_available", step, f"the action {action!r} is not available yet.", path="action")

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        settings = step.settings.get("with", {})
        if step.settings["action"] == "set_fields":
            for name, expression in settings["fields"].items():
                yield f"with/fields/{name}", expression, False
        if step.settings["action"] == "notify":
            yield from expressions_in(settings["to"], "with/to")

    def open(self, board: Board, token: Token, visit: Visit) -> None:
        step = board.step_of(token)
        settings = dict(step.settings.get("with", {}))
        if "fields" in settings:
            settings["fields"] = {name: _value(board, token, text) for name, text in settings["fields"].items()}
        board.begin(token, visit)
        board.emit(RunAction(visit=visit.id, step=step.id, action=step.settings["action"], settings=settings))

    def action_done(self, board: Board, token: Token, visit: Visit) -> None:
        self.leave(board, token, visit, DONE.id)

    def action_failed(self, board: Board, token: Token, visit: Visit, reason: str) -> None:
        if visit.incident:
            board.tell(TraceKind.IGNORED, token, visit=visit.id)
        elif self.arrow(board.definition, visit.step, FAILED.id):
            self.leave(board, token, visit, FAILED.id)
        else:
            board.fail(token, reason=reason)


def _value(board: Board, token: Token, expression: str) -> Any:
    """The expression's value as JSON; a point in time becomes ISO text. Raises GuardFailed."""
    value = board.value(token, expression)
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_instant))
    except (TypeError, ValueError) as error:
        raise GuardFailed(expression, f"A field cannot hold what this gives: {error}") from error


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no field's value")
