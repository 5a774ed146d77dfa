"""What can happen to a run. A person's trigger that comes late is refused, a machine's is ignored.

`instance` names one of a step with instances by its index; it is None everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Start:
    """The run begins: at the start, or at another step when a request is opened again."""

    at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Begin:
    """A person takes a task up. A visit that is already begun stays as it is."""

    visit: int
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class Complete:
    """A person leaves a task by an outcome, or an approval came to its end."""

    visit: int
    outcome: str
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class TimerFired:
    """The timer of a visit is due: that of the wait itself, or that of the named deadline."""

    visit: int
    instance: int | None = None
    deadline: str | None = None


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message came for this run. It wakes one wait of that name and key; `payload` is JSON."""

    name: str
    key: str = ""
    payload: Any = None


@dataclass(frozen=True, kw_only=True)
class KeyGranted:
    """The visit's turn in the line for its `exclusive` key has come."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class ActionDone:
    """The action of a visit was carried out."""

    visit: int
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class ActionFailed:
    """The action of a visit failed for the last time.

    `stopped`: the run goes on by itself without end, so the visit, of whatever kind, rests for an operator; no arrow is
    taken.
    """

    visit: int
    reason: str
    instance: int | None = None
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class ChildEnded:
    """A child run came to its end. `run` is what the expressions of `output` see under that name."""

    visit: int
    outcome: str
    instance: int | None = None
    run: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Everything is withdrawn; the run ends as cancelled."""


@dataclass(frozen=True, kw_only=True)
class CancelVisit:
    """One visit is withdrawn with its token; the rest goes on."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class AddInstance:
    """One more instance for an open-ended step; `item` is JSON."""

    visit: int
    item: Any = None


@dataclass(frozen=True, kw_only=True)
class CloseInstances:
    """No more instances will be added to an open-ended step."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class FinishInstances:
    """The unfinished instances are withdrawn, the step ends."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class Retry:
    """An operator lets a visit in incident try again."""

    visit: int
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class Skip:
    """An operator lets a visit in incident go on as if its step had ended by this outcome."""

    visit: int
    outcome: str | None = None
    instance: int | None = None


@dataclass(frozen=True, kw_only=True)
class Move:
    """An operator puts a token at another step; what it did where it was is withdrawn."""

    token: int
    to: str


Trigger = (
    Start
    | Begin
    | Complete
    | TimerFired
    | Message
    | KeyGranted
    | ActionDone
    | ActionFailed
    | ChildEnded
    | Cancel
    | CancelVisit
    | AddInstance
    | CloseInstances
    | FinishInstances
    | Retry
    | Skip
    | Move
)
