"""The clock of a target: a pure function of a request's events.

A clock starts, is paused and resumed, and is stopped (met or breached) or void. It reaches each warning, the breach and
each escalation at an exact instant of its own. The due instant belongs to the breach: a stop at the due time itself
comes too late. A breached clock keeps counting until it is stopped and stays breached. Priority, calendars and who
holds the request are read from the events too (`Context`), never from the request as it is now. Everything stored about
a clock is a cache: folding `advance` and `check` over the events, however often the clock is checked in between, equals
`replay`.
"""

from apps.sla.clock.context import CONTEXT_EVENTS, Context
from apps.sla.clock.intervals import Interval
from apps.sla.clock.replay import ClockReading, Move, ahead, latest, replay, replay_all
from apps.sla.clock.state import Calendars, ClockState, Crossing, allowed, elapsed_at
from apps.sla.clock.steps import advance, begins, check, dropped, start
from apps.sla.conditions import Change, ClockEvent, Condition
from apps.sla.targets import Duration, Escalation, SlaPolicy, Target, parse_policy

__all__ = [
    "CONTEXT_EVENTS",
    "Calendars",
    "Change",
    "ClockEvent",
    "ClockReading",
    "ClockState",
    "Condition",
    "Context",
    "Crossing",
    "Duration",
    "Escalation",
    "Interval",
    "Move",
    "SlaPolicy",
    "Target",
    "advance",
    "ahead",
    "allowed",
    "begins",
    "check",
    "dropped",
    "elapsed_at",
    "latest",
    "parse_policy",
    "replay",
    "replay_all",
    "start",
]
