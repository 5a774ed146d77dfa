"""What a plan did, in order: the source of visits' rows, of the history and of the dry run's path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TraceKind(Enum):
    """What happened, in a word."""

    OPENED = "opened"
    BEGUN = "begun"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"
    PASSED = "passed"
    IGNORED = "ignored"
    KEPT = "kept"
    LOST = "lost"
    FINISHED = "finished"
    INCIDENT = "incident"


@dataclass(frozen=True, kw_only=True)
class TraceEntry:
    """One thing that happened. What does not apply is None. `transition` is the index of the arrow taken.

    Opened, begun, ended and withdrawn are told of working steps only; start, choice and end only pass.
    """

    kind: TraceKind
    step: str | None = None
    visit: int | None = None
    token: int | None = None
    outcome: str | None = None
    transition: int | None = None
