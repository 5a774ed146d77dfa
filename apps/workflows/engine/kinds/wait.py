from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.effects import AwaitMessage, OpenTimer, WithdrawTimer
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.engine.kinds.base import Policies, Working, step_problem
from apps.workflows.engine.marking import Kept, Token, Visit
from apps.workflows.engine.problems import Problem

DONE = Outcome(id="done", label="Done")
SORTS = ("seconds", "business_seconds", "until", "message")
BELONGS_TO = {"calendar": "business_seconds", "key": "message", "keep": "message", "into": "message"}


class Wait(Working):
    """A timer or a message. The key of a message is evaluated once, when the wait opens; without one it is empty."""

    name = "wait"

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        return (DONE,)

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        spec = step.settings["for"]
        if sum(sort in spec for sort in SORTS) != 1:
            yield step_problem("wait", step, f"a wait is for exactly one of {', '.join(SORTS)}.", path="for")
        for key, sort in BELONGS_TO.items():
            if key in spec and sort not in spec:
                yield step_problem("wait", step, f"{key!r} belongs to a wait for {sort!r}.", path=f"for/{key}")
        if "business_seconds" in spec and "calendar" not in spec:
            yield step_problem("wait", step, "business seconds need the key of a 'calendar'.", path="for")

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        for key in ("until", "key"):
            if key in step.settings["for"]:
                yield f"for/{key}", step.settings["for"][key], False

    def keeps(self, step: Step, message: str) -> bool:
        spec = step.settings["for"]
        return spec.get("message") == message and bool(spec.get("keep"))

    def open(self, board: Board, token: Token, visit: Visit) -> None:
        spec = board.step_of(token).settings["for"]
        if "message" in spec:
            self._await(board, token, visit, spec)
            return
        until = _instant(board, token, spec["until"]) if "until" in spec else None
        board.begin(token, visit)
        board.emit(
            OpenTimer(
                visit=visit.id,
                step=visit.step,
                seconds=spec.get("seconds"),
                business_seconds=spec.get("business_seconds"),
                calendar=spec.get("calendar"),
                until=until,
            )
        )

    def _await(self, board: Board, token: Token, visit: Visit, spec: Mapping[str, Any]) -> None:
        """Waits, unless the message came early and was kept: then the oldest of them is used up at once."""
        key = _key(board, token, spec["key"]) if "key" in spec else ""
        token, visit = board.begin(token, visit)
        early = Kept(name=spec["message"], key=key)
        if spec.get("keep") and early in board.kept:
            board.kept.remove(early)
            self.leave(board, token, visit, DONE.id)
            return
        board.change(token, visit, key=key)
        board.emit(AwaitMessage(visit=visit.id, step=visit.step, name=spec["message"], key=key))

    def timer_fired(self, board: Board, token: Token, visit: Visit) -> None:
        if "message" in board.step_of(token).settings["for"]:
            super().timer_fired(board, token, visit)
        self.leave(board, token, visit, DONE.id)

    def message(self, board: Board, token: Token, visit: Visit, name: str, key: str) -> bool:
        waited_for = board.step_of(token).settings["for"].get("message")
        if visit.key is None or (waited_for, visit.key) != (name, key):
            return False
        self.leave(board, token, visit, DONE.id)
        return True

    def withdraw(self, board: Board, token: Token, visit: Visit) -> None:
        if "message" not in board.step_of(token).settings["for"]:
            board.emit(WithdrawTimer(visit=visit.id, step=visit.step))


def _instant(board: Board, token: Token, expression: str) -> datetime:
    value = board.value(token, expression)
    if not isinstance(value, datetime):
        raise GuardFailed(expression, f"A wait lasts until a point in time, this gave {type(value).__name__}.")
    return value


def _key(board: Board, token: Token, expression: str) -> str:
    value = board.value(token, expression)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GuardFailed(expression, f"A message's key is text or a whole number, this gave {type(value).__name__}.")
    return str(value)
