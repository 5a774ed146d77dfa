"""`deadlines`: they count from the opening of the visit. One that interrupts moves its token, any other adds one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Transition
from apps.workflows.engine.effects import OpenTimer, WithdrawTimer
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.engine.trace import TraceKind


def open_all(board: Board, spot: Spot) -> None:
    """Opens a timer for each deadline of the step. Raises guards.GuardFailed."""
    for deadline in board.setting(spot, "deadlines") or ():
        board.emit(timer(board, spot.whole(), deadline["after"], deadline=deadline["id"]))


def withdraw_all(board: Board, spot: Spot) -> None:
    """The visit is over, its deadlines with it."""
    if board.setting(spot, "deadlines"):
        board.emit(WithdrawTimer(**spot.whole().of))


def pass_by(board: Board, spot: Spot, deadline_id: str) -> None:
    """A deadline of the visit has passed: once per visit; what the document does not know is ignored."""
    deadline = _named(board, spot, deadline_id)
    arrow = _arrow(board, spot, deadline_id)
    if deadline is None or arrow is None or deadline_id in spot.visit.fired or spot.visit.left:
        board.tell(TraceKind.IGNORED, spot)
        return
    spot = board.change(spot, fired=(*spot.visit.fired, deadline_id))
    board.tell(TraceKind.OVERDUE, spot, outcome=deadline_id, transition=arrow.index)
    if deadline.get("interrupt"):
        board.kind_at(spot.step).withdraw_visit(board, spot)
        board.follow(spot.token, arrow)
    else:
        board.branch_off(spot.token, arrow)


def timer(board: Board, spot: Spot, after: Mapping[str, Any], *, deadline: str | None = None) -> OpenTimer:
    """The timer that a duration or a point in time in the document asks for. Raises guards.GuardFailed."""
    return OpenTimer(
        **spot.of,
        seconds=after.get("seconds"),
        business_seconds=after.get("business_seconds"),
        calendar=after.get("calendar"),
        until=_instant(board, spot, after["until"]) if "until" in after else None,
        deadline=deadline,
    )


def _instant(board: Board, spot: Spot, expression: str) -> datetime:
    value = board.value(spot, expression)
    if not isinstance(value, datetime):
        raise GuardFailed(expression, f"A point in time is needed, this gave {type(value).__name__}.")
    return value


def _named(board: Board, spot: Spot, deadline_id: str) -> Mapping[str, Any] | None:
    return next((one for one in board.setting(spot, "deadlines") or () if one["id"] == deadline_id), None)


def _arrow(board: Board, spot: Spot, deadline_id: str) -> Transition | None:
    arrows = board.definition.arrows_from(spot.step)
    return next((arrow for arrow in arrows if arrow.deadline == deadline_id), None)
