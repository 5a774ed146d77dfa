"""What can happen to a run. A person's trigger that comes late is refused, a machine's is ignored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Start:
    """The run begins: at the start, or at another step when a request is opened again."""

    at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Begin:
    """A person takes a task up. A visit that is already begun stays as it is."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class Complete:
    """A person leaves a task by an outcome, or an approval came to its end."""

    visit: int
    outcome: str


@dataclass(frozen=True, kw_only=True)
class TimerFired:
    """The timer of a visit is due."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message came for this run. It wakes one wait of that name and key."""

    name: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class ActionDone:
    """The action of a visit was carried out."""

    visit: int


@dataclass(frozen=True, kw_only=True)
class ActionFailed:
    """The action of a visit failed for the last time."""

    visit: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Everything is withdrawn; the run ends as cancelled."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """An operator lets a visit in incident try again."""

    visit: int


Trigger = Start | Begin | Complete | TimerFired | Message | ActionDone | ActionFailed | Cancel | Retry
