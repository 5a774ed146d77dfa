"""Which events start, pause, resume, stop, cancel and reset a clock. Pure.

A condition reads the event and nothing else: not the request as it is now. So a clock is a function of the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.workflows.engine.guards import GuardFailed, holds


class Change(StrEnum):
    """What an event does to a clock, in the order in which they are looked for."""

    CANCEL = "cancel"
    STOP = "stop"
    RESET = "reset"
    PAUSE = "pause"
    RESUME = "resume"
    START = "start"


@dataclass(frozen=True, kw_only=True)
class ClockEvent:
    """An event of the request, as far as a clock reads it."""

    type: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """An event of this type, of which `where` (CEL over `event`, its data) holds if there is one.

    `equals` is the same for the defaults, without an expression: values its data must have.
    """

    event: str
    where: str | None = None
    equals: tuple[tuple[str, str], ...] = ()
    differs: tuple[tuple[str, str], ...] = ()

    def fits(self, event: ClockEvent) -> bool:
        """Whether the event is one of these. An expression that fails on it does not fit."""
        if event.type != self.event:
            return False
        if any(event.data.get(key) != value for key, value in self.equals):
            return False
        if any(event.data.get(key) == value for key, value in self.differs):
            return False
        if self.where is None:
            return True
        try:
            return holds(self.where, {"event": dict(event.data)}, event.at)
        except GuardFailed:
            return False


Changes = dict[Change, tuple[Condition, ...]]
HOLDS: Changes = {
    Change.PAUSE: (Condition(event="request.held"),),
    Change.RESUME: (Condition(event="request.resumed"),),
}
ENDS = ("request.completed", "request.rejected")


def defaults(metric: str, of: str, *, pauses: bool) -> Changes:
    """What a metric listens to unless its target says otherwise. Who ends a request has also responded to it."""
    listens = {
        "response": _response,
        "resolution": _resolution,
        "stage": _stage,
        "step": _step,
        "approval": _approval,
    }[metric](of)
    return {**listens, **(HOLDS if pauses else {})}


def _all(*types: str, **equals: str) -> tuple[Condition, ...]:
    return tuple(Condition(event=one, equals=tuple(equals.items())) for one in types)


def _response(of: str) -> Changes:
    return {
        Change.START: _all("request.submitted"),
        Change.STOP: _all("request.first_response", *ENDS),
        Change.CANCEL: _all("request.cancelled"),
    }


def _resolution(of: str) -> Changes:
    return {
        Change.START: _all("request.submitted", "request.reopened"),
        Change.STOP: _all(*ENDS),
        Change.CANCEL: _all("request.cancelled"),
    }


def _stage(of: str) -> Changes:
    entered = "request.stage_entered"
    return {
        Change.START: (Condition(event=entered, equals=(("stage", of),), differs=(("was", of),)),),
        Change.STOP: (Condition(event=entered, equals=(("was", of),), differs=(("stage", of),)), *_all(*ENDS)),
        Change.CANCEL: _all("request.cancelled"),
    }


def _step(of: str) -> Changes:
    return {
        Change.START: _all("task.opened", "approval.opened", "wait.opened", "subflow.started", step=of),
        Change.STOP: (
            *_all("task.completed", "wait.done", "subflow.ended", step=of),
            Condition(event="approval.ended", equals=(("step", of),), differs=(("result", "withdrawn"),)),
        ),
        Change.CANCEL: (
            *_all("task.withdrawn", "wait.withdrawn", step=of),
            *_all("approval.ended", step=of, result="withdrawn"),
            *_all("request.cancelled"),
        ),
    }


def _approval(of: str) -> Changes:
    return {
        Change.START: _all("approval.opened", step=of),
        Change.STOP: (Condition(event="approval.ended", equals=(("step", of),), differs=(("result", "withdrawn"),)),),
        Change.CANCEL: (*_all("approval.ended", step=of, result="withdrawn"), *_all("request.cancelled")),
    }
