"""Values of expressions as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.guards import GuardFailed


def plain_value(board: Board, spot: Spot, expression: str, *, facts: Mapping[str, Any] | None = None) -> Any:
    """The expression's value as JSON; a point in time becomes ISO text. Raises GuardFailed.

    `facts` are seen in place of the board's.
    """
    seen = board.seen(spot)
    value = board.judge.value(expression, seen if facts is None else {**seen, **facts}, board.now)
    try:
        return as_json(value)
    except (TypeError, ValueError) as error:
        raise GuardFailed(expression, f"A field cannot hold what this gives: {error}") from error


def as_json(value: Any) -> Any:
    """The value as plain JSON; a point in time becomes ISO text. Raises TypeError, ValueError for what has no place."""
    return json.loads(json.dumps(value, allow_nan=False, default=_instant))


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no field's value")
