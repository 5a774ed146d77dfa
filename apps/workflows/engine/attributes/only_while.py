"""`only_while`: the step is open only while the named step is.

Otherwise its token waits without a work item as long as another token could still get to the named step; when none
can, the token is withdrawn.
"""

from __future__ import annotations

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.marking import Token


def wants_to_move(board: Board, token: Token, watched: str) -> bool:
    """Whether the token's step has to be opened, closed or given up."""
    if token.left:
        return False
    is_open = _is_open(board, watched)
    return not is_open if token.visits else is_open or not _can_come(board, token, watched)


def is_closing(board: Board, token: Token, watched: str) -> bool:
    """Whether the token's step must not be open: its work is taken back and the token waits."""
    return bool(token.visits) and not _is_open(board, watched)


def close(board: Board, token: Token) -> None:
    """Takes the work back; the token waits."""
    for visit in token.visits:
        board.kind_at(visit.step).withdraw_visit(board, Spot(token=token, visit=visit))
    board.rest(token)


def is_given_up(board: Board, token: Token, watched: str) -> bool:
    """Whether the named step is not open and no other token can get to it."""
    return not _is_open(board, watched) and not _can_come(board, token, watched)


def _is_open(board: Board, watched: str) -> bool:
    return any(visit.step == watched and not visit.left for token in board.tokens.values() for visit in token.visits)


def _can_come(board: Board, token: Token, watched: str) -> bool:
    others = (other for other in board.tokens.values() if other.id != token.id and not other.left)
    return any(other.step == watched or watched in board.definition.reachable(other.step) for other in others)
