"""`exclusive`: a visit takes its key when it begins and gives it back when it ends in any way.

A task is offered while somebody else holds the key, and beginning it takes the key or is refused; any other step waits
in line. Who holds which key is known outside; the marking says what the visit has asked for.
"""

from __future__ import annotations

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.effects import AskKey, GiveKey, TakeKey
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.engine.marking import KeyState
from apps.workflows.engine.trace import TraceKind

LONGEST = 200


def name(board: Board, spot: Spot) -> Spot:
    """Notes which key the visit needs, read once when it opens. Raises guards.GuardFailed."""
    expression = board.setting(spot, "exclusive")
    return spot if expression is None else board.change(spot, exclusive=key_text(board, spot, expression))


def ask(board: Board, spot: Spot) -> None:
    """The visit waits in line."""
    spot = board.change(spot, key_state=KeyState.ASKED)
    board.tell(TraceKind.IN_LINE, spot)
    board.emit(AskKey(visit=spot.visit.id, step=spot.step, key=spot.visit.exclusive or ""))


def take(board: Board, spot: Spot) -> Spot:
    """Somebody begins: the key must be free."""
    if spot.visit.exclusive is None or spot.visit.key_state is not KeyState.NONE:
        return spot
    board.emit(TakeKey(visit=spot.visit.id, step=spot.step, key=spot.visit.exclusive))
    return board.change(spot, key_state=KeyState.HELD)


def give_back(board: Board, spot: Spot) -> Spot:
    """The visit is over: its key, or its place in line, is free."""
    if spot.visit.key_state is KeyState.NONE:
        return spot
    board.emit(GiveKey(visit=spot.visit.id, step=spot.step, key=spot.visit.exclusive or ""))
    return board.change(spot, key_state=KeyState.NONE)


def key_text(board: Board, spot: Spot, expression: str) -> str:
    """The value of an expression that names something: text or a whole number. Raises guards.GuardFailed."""
    value = board.value(spot, expression)
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > LONGEST:
        given = f"{len(value):,} characters" if isinstance(value, str) else type(value).__name__
        raise GuardFailed(expression, f"A key is text of at most {LONGEST} characters or a whole number, not {given}.")
    return str(value)
