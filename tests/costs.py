"""What something costs, counted: no busy machine makes it more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def lines_of(act: Callable[[], object]) -> int:
    """How many lines of Python the act executes."""
    lines, before = 0, sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object]:
        nonlocal lines
        lines += event == "line"
        return trace

    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return lines
