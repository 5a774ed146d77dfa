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
    INSTANCE_OPENED = "instance opened"
    INSTANCE_ENDED = "instance ended"
    IN_LINE = "in line"
    OVERDUE = "overdue"
    PASSED = "passed"
    JOINED = "joined"
    ABSORBED = "absorbed"
    MOVED = "moved"
    IGNORED = "ignored"
    KEPT = "kept"
    LOST = "lost"
    FINISHED = "finished"
    INCIDENT = "incident"


@dataclass(frozen=True, kw_only=True)
class TraceEntry:
    """One thing that happened. What does not apply is None. `transition` is the index of the arrow taken.

    Opened, begun, ended and withdrawn are told of working steps only; start, choice, split, race and end only pass. The
    `outcome` of `overdue` is the deadline's id.
    """

    kind: TraceKind
    step: str | None = None
    visit: int | None = None
    token: int | None = None
    outcome: str | None = None
    transition: int | None = None
    instance: int | None = None
