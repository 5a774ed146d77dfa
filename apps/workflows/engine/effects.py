"""What a plan asks the world to do. The engine does none of it.

Effects that belong to one instance of a step carry its index as `instance` (None elsewhere, and where a withdrawal
means all of them) and, where they open something, its `item`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class OpenTask:
    visit: int
    step: str
    instance: int | None = None
    item: Any = None


@dataclass(frozen=True, kw_only=True)
class WithdrawTask:
    visit: int
    step: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class OpenApproval:
    visit: int
    step: str
    instance: int | None = None
    item: Any = None


@dataclass(frozen=True, kw_only=True)
class WithdrawApproval:
    visit: int
    step: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class OpenTimer:
    """Exactly one of: `seconds`, `business_seconds` with the key of a `calendar`, `until` (aware, perhaps past).

    `deadline` names the deadline it belongs to; None is the timer of a wait.
    """

    visit: int
    step: str
    seconds: float | None = None
    business_seconds: float | None = None
    calendar: str | None = None
    until: datetime | None = None
    instance: int | None = None
    deadline: str | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawTimer:
    """Every open timer of the visit; with `instance` only that one's."""

    visit: int
    step: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class AwaitMessage:
    """The marking itself waits; whoever routes messages to runs may note name and key."""

    visit: int
    step: str
    name: str
    key: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunAction:
    """`settings` are the step's `with`; the expressions of its fields and its body are already values (JSON)."""

    visit: int
    step: str
    action: str
    settings: Mapping[str, Any]
    instance: int | None = None
    item: Any = None


@dataclass(frozen=True, kw_only=True)
class WithdrawAction:
    """What was not sent yet is not sent any more; what was sent is not undone."""

    visit: int
    step: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class SetFields:
    """Values for the request's data: a message's payload, a child run's output."""

    visit: int
    step: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StartChild:
    """A run of the published version of another workflow; `input` is what it sees as `run.input`."""

    visit: int
    step: str
    workflow: str
    input: Mapping[str, Any]
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawChild:
    visit: int
    step: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class TakeKey:
    """A person begins: the key is taken now, or the plan is refused because somebody holds it."""

    visit: int
    step: str
    key: str


@dataclass(frozen=True, kw_only=True)
class AskKey:
    """The visit waits in line for the key until KeyGranted comes."""

    visit: int
    step: str
    key: str


@dataclass(frozen=True, kw_only=True)
class GiveKey:
    """The key goes back, or the place in line is given up; the next in line is served."""

    visit: int
    step: str
    key: str


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
    instance: int | None = None


Effect = (
    OpenTask
    | WithdrawTask
    | OpenApproval
    | WithdrawApproval
    | OpenTimer
    | WithdrawTimer
    | AwaitMessage
    | RunAction
    | WithdrawAction
    | SetFields
    | StartChild
    | WithdrawChild
    | TakeKey
    | AskKey
    | GiveKey
    | Finish
    | RaiseIncident
)
