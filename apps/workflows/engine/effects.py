"""What a plan asks the world to do. The engine does none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class OpenTask:
    visit: int
    step: str


@dataclass(frozen=True, kw_only=True)
class WithdrawTask:
    visit: int
    step: str


@dataclass(frozen=True, kw_only=True)
class OpenApproval:
    visit: int
    step: str


@dataclass(frozen=True, kw_only=True)
class WithdrawApproval:
    visit: int
    step: str


@dataclass(frozen=True, kw_only=True)
class OpenTimer:
    """Exactly one of: `seconds`, `business_seconds` with the key of a `calendar`, `until` (aware, perhaps past)."""

    visit: int
    step: str
    seconds: float | None = None
    business_seconds: float | None = None
    calendar: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawTimer:
    visit: int
    step: str


@dataclass(frozen=True, kw_only=True)
class AwaitMessage:
    """The marking itself waits; whoever routes messages to runs may note name and key."""

    visit: int
    step: str
    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class RunAction:
    """`settings` are the step's `with`; the expressions of set_fields are already values (JSON)."""

    visit: int
    step: str
    action: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finish:
    """The run has ended: `completed`, `rejected` or `cancelled`."""

    outcome: str


@dataclass(frozen=True, kw_only=True)
class RaiseIncident:
    """An operator must look. `visit` is what Retry names (None: nothing can be retried), `guard` the expression."""

    visit: int | None
    step: str
    guard: str | None
    reason: str


Effect = (
    OpenTask
    | WithdrawTask
    | OpenApproval
    | WithdrawApproval
    | OpenTimer
    | WithdrawTimer
    | AwaitMessage
    | RunAction
    | Finish
    | RaiseIncident
)
