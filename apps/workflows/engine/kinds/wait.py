from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.attributes import deadlines
from apps.workflows.engine.attributes.check import SORTS, duration_problem
from apps.workflows.engine.attributes.exclusive import key_text
from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.effects import AwaitMessage, SetFields, WithdrawTimer
from apps.workflows.engine.kinds.base import Policies, step_problem
from apps.workflows.engine.kinds.working import Working
from apps.workflows.engine.marking import OVER, Kept, Token, Visit
from apps.workflows.engine.problems import Problem

DONE = Outcome(id="done", label="Done")


class Wait(Working):
    """A timer or a message. The key of a message is evaluated once, when the wait opens; without one it is empty."""

    name = "wait"

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        return (DONE,)

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        spec = step.settings["for"]
        if "message" not in spec:
            problem = duration_problem(spec)
            if problem:
                yield step_problem("wait", step, f"a wait {problem}, or waits for a message.", path="for")
        elif any(sort in spec for sort in SORTS):
            yield step_problem("wait", step, "a wait is for a message or for a time, not both.", path="for")
        for key in ("key", "keep", "into"):
            if key in spec and "message" not in spec:
                yield step_problem("wait", step, f"{key!r} belongs to a wait for a message.", path=f"for/{key}")

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        for key in ("until", "key"):
            if key in step.settings["for"]:
                yield f"for/{key}", step.settings["for"][key], False

    def keeps(self, step: Step, message: str) -> bool:
        spec = step.settings["for"]
        return spec.get("message") == message and bool(spec.get("keep"))

    def is_over_at_once(self, board: Board, token: Token, step: Step) -> bool:
        """Whether the point in time has passed, or the message came early and was kept."""
        spec = step.settings["for"]
        if "message" in spec:
            return self._early(board, Spot(token=token, visit=Visit(id=0, step=step.id)), spec) is not None
        return bool(spec.get("seconds") == 0)

    def open(self, board: Board, spot: Spot) -> None:
        spec = board.definition.step(spot.step).settings["for"]
        if "message" in spec:
            self._await(board, spot, spec)
        else:
            board.emit(deadlines.timer(board, spot, spec))

    def _await(self, board: Board, spot: Spot, spec: Mapping[str, Any]) -> None:
        """Waits, unless the message came early and was kept: then the oldest of them is used up at once."""
        early = self._early(board, spot, spec)
        if early is not None:
            board.kept.remove(early)
            self._take(board, spot, early.payload)
            return
        key = _key(board, spot, spec)
        board.change_part(spot, key=key)
        board.emit(AwaitMessage(**spot.of, name=spec["message"], key=key))

    def _early(self, board: Board, spot: Spot, spec: Mapping[str, Any]) -> Kept | None:
        if not spec.get("keep"):
            return None
        wanted = (spec["message"], _key(board, spot, spec))
        return next((kept for kept in board.kept if (kept.name, kept.key) == wanted), None)

    def _take(self, board: Board, spot: Spot, payload: Any) -> None:
        into = board.setting(spot, "for").get("into")
        if into is not None:
            board.emit(SetFields(visit=spot.visit.id, step=spot.step, fields={into: payload}))
        self.done(board, spot, DONE.id)

    def timer_fired(self, board: Board, spot: Spot, deadline: str | None) -> None:
        if deadline is not None or "message" in board.setting(spot, "for"):
            super().timer_fired(board, spot, deadline)
        else:
            self.done(board, spot, DONE.id)

    def message(self, board: Board, spot: Spot, name: str, key: str, payload: Any) -> bool:
        waits_for = spot.visit.key if spot.part is None else spot.part.key
        over = spot.part is not None and spot.part.status in OVER
        if over or waits_for != key or board.setting(spot, "for").get("message") != name:
            return False
        self._take(board, spot, payload)
        return True

    def take_back(self, board: Board, spot: Spot) -> None:
        if "message" not in board.setting(spot, "for"):
            board.emit(WithdrawTimer(**spot.of))


def _key(board: Board, spot: Spot, spec: Mapping[str, Any]) -> str:
    return key_text(board, spot, spec["key"]) if "key" in spec else ""
