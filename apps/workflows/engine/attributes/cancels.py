"""`cancels`: when the step completes, everything at the listed steps is withdrawn before its token leaves."""

from __future__ import annotations

from apps.workflows.engine.board import Board, Spot


def withdraw_listed(board: Board, spot: Spot) -> None:
    """Withdraws the tokens at the listed steps, in order of id; a listed join also forgets its open round."""
    listed = frozenset(board.setting(spot, "cancels") or ())
    if not listed:
        return
    for number in sorted(board.tokens):
        token = board.tokens[number]
        if token.step in listed and token.id != spot.token.id:
            board.withdraw(token)
    board.joins = [open_round for open_round in board.joins if open_round.step not in listed]
