"""The clock of a target: a pure function of a request's events.

A clock starts, is paused and resumed, and is stopped (met or breached) or void. It reaches each warning and the breach
at an exact instant of its own. The due instant belongs to the breach: a stop at the due time itself comes too late.
A breached clock keeps counting until it is stopped and stays breached. Everything stored about a clock is a cache:
folding `apply` and `check` over the events, however often the clock is checked in between, equals `replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from types import MappingProxyType

from apps.calendars.business_time import Calendar, add, between, explain
from apps.core.errors import InvalidInput
from apps.sla.targets import Target, check_policy, targets_for

__all__ = [
    "TRIGGERS",
    "ClockEvent",
    "ClockReading",
    "ClockState",
    "Crossing",
    "Interval",
    "Target",
    "Trigger",
    "advance",
    "apply",
    "check",
    "check_policy",
    "elapsed_at",
    "replay",
    "start",
    "targets_for",
]

RUNNING, PAUSED, MET, BREACHED, VOID = "running", "paused", "met", "breached", "void"


class Trigger(Enum):
    """What an event does to a clock. RESTART begins a stopped clock anew, from zero."""

    START = auto()
    PAUSE = auto()
    RESUME = auto()
    STOP = auto()
    VOID = auto()
    RESTART = auto()


Triggers = Mapping[str, Mapping[str, Trigger]]
COMMON = {
    "request.submitted": Trigger.START,
    "request.held": Trigger.PAUSE,
    "request.resumed": Trigger.RESUME,
    "request.completed": Trigger.STOP,  # whoever ends a request has also responded to it
    "request.rejected": Trigger.STOP,
    "request.cancelled": Trigger.VOID,
}
TRIGGERS: Triggers = MappingProxyType(
    {
        "response": COMMON | {"request.first_response": Trigger.STOP},
        "resolution": COMMON | {"request.reopened": Trigger.RESTART},
    }
)


@dataclass(frozen=True, kw_only=True)
class ClockEvent:
    """An event of the request, as far as a clock reads it."""

    type: str
    at: datetime
    data: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """A clock as it is stored. `elapsed` are the seconds counted before `running_since`, which is None while it stands.

    `warned` are the percentages already reached; `due_at` is None while it is paused, `next_check_at` unless the mere
    passing of time can change something.
    """

    target_id: str
    status: str
    elapsed: int | float
    running_since: datetime | None
    due_at: datetime | None
    next_check_at: datetime | None
    warned: tuple[int, ...] = ()
    breached_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A threshold passed: `warned` at a percentage, or `breached` (no percentage), and exactly when."""

    kind: str
    percent: int | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A stretch of a clock's life: counted (`running`) or not (`closed`, `holiday`, `paused`)."""

    start: datetime
    end: datetime
    counted: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class ClockReading:
    """A clock at an instant, with the explanation: `intervals` have no gaps, the counted ones sum to `elapsed`."""

    status: str
    elapsed: int | float
    due_at: datetime | None
    intervals: tuple[Interval, ...]


def start(target: Target, calendar: Calendar | None, at: datetime) -> ClockState:
    """A clock that begins to count at `at`. A target in business time needs its calendar (`InvalidInput`)."""
    state = ClockState(
        target_id=target.id, status=RUNNING, elapsed=0, running_since=at, due_at=None, next_check_at=None
    )
    return _scheduled(state, target, calendar)


def check(
    state: ClockState, target: Target, calendar: Calendar | None, now: datetime
) -> tuple[ClockState, tuple[Crossing, ...]]:
    """Let time pass until `now`: the thresholds reached by then, each once and at its own instant, in order."""
    if state.next_check_at is None or now < state.next_check_at:
        return state, ()
    crossings = tuple(crossing for crossing in _ahead(state, target, calendar) if crossing.at <= now)
    for crossing in crossings:
        if crossing.percent is not None:
            state = replace(state, warned=(*state.warned, crossing.percent))
        else:
            state = replace(state, status=BREACHED, breached_at=crossing.at)
    return _scheduled(state, target, calendar), crossings


def advance(
    state: ClockState,
    target: Target,
    calendar: Calendar | None,
    event: ClockEvent,
    *,
    triggers: Triggers = TRIGGERS,
) -> tuple[ClockState, tuple[Crossing, ...]]:
    """What fell due until the event, as `check` gives it, and then the event; one that does not fit is passed over."""
    trigger = triggers[target.metric].get(event.type)
    if trigger is None:
        return state, ()
    state, crossings = check(state, target, calendar, event.at)
    change = None if trigger is Trigger.PAUSE and not target.pauses else CHANGES.get(trigger)
    return (change(state, target, calendar, event.at) if change else state), crossings


def apply(
    state: ClockState,
    target: Target,
    calendar: Calendar | None,
    event: ClockEvent,
    *,
    triggers: Triggers = TRIGGERS,
) -> ClockState:
    """The clock after an event. Thresholds reached before it are marked, not told: call `check` first, or `advance`."""
    return advance(state, target, calendar, event, triggers=triggers)[0]


def elapsed_at(state: ClockState, target: Target, calendar: Calendar | None, now: datetime) -> int | float:
    """The seconds counted until `now`."""
    if state.running_since is None:
        return state.elapsed
    return _tidy(state.elapsed + _counted(target, calendar, state.running_since, now))


def replay(
    target: Target,
    calendar: Calendar | None,
    events: Iterable[ClockEvent],
    until: datetime,
    *,
    triggers: Triggers = TRIGGERS,
) -> ClockReading:
    """Read the clock at `until` from the request's events, of which later ones are left out.

    After a restart the reading is that of the latest run. Raises `InvalidInput` if no event starts the clock by then,
    or if an event is earlier than the one before it.
    """
    states: list[tuple[datetime, ClockState]] = []
    for event in _until(events, until):
        if not states:
            if triggers[target.metric].get(event.type) is Trigger.START:
                states = [(event.at, start(target, calendar, event.at))]
            continue
        before = states[-1][1]
        after = apply(before, target, calendar, event, triggers=triggers)
        states = [*([] if before.stopped_at and not after.stopped_at else states), (event.at, after)]
    if not states:
        raise InvalidInput({"events": ["No event has started this clock."]})
    state, _ = check(states[-1][1], target, calendar, until)
    return ClockReading(
        status=state.status,
        elapsed=elapsed_at(state, target, calendar, until),
        due_at=state.due_at,
        intervals=tuple(_intervals(target, calendar, states, until)),
    )


def _pause(state: ClockState, target: Target, calendar: Calendar | None, at: datetime) -> ClockState:
    if state.running_since is None:
        return state
    status = PAUSED if state.status == RUNNING else state.status
    return _scheduled(_standing(state, target, calendar, at, status=status), target, calendar)


def _resume(state: ClockState, target: Target, calendar: Calendar | None, at: datetime) -> ClockState:
    if state.running_since or state.stopped_at:
        return state
    status = RUNNING if state.status == PAUSED else state.status
    return _scheduled(replace(state, status=status, running_since=at), target, calendar)


def _stop(state: ClockState, target: Target, calendar: Calendar | None, at: datetime) -> ClockState:
    if state.stopped_at:
        return state
    status = BREACHED if state.status == BREACHED else MET
    return replace(_standing(state, target, calendar, at, status=status), next_check_at=None, stopped_at=at)


def _void(state: ClockState, target: Target, calendar: Calendar | None, at: datetime) -> ClockState:
    if state.stopped_at or state.status == BREACHED:
        return _stop(state, target, calendar, at)
    voided = _standing(state, target, calendar, at, status=VOID)
    return replace(voided, due_at=None, next_check_at=None, stopped_at=at)


def _restart(state: ClockState, target: Target, calendar: Calendar | None, at: datetime) -> ClockState:
    return start(target, calendar, at) if state.stopped_at else state


CHANGES: Mapping[Trigger, Callable[[ClockState, Target, Calendar | None, datetime], ClockState]] = MappingProxyType(
    {
        Trigger.PAUSE: _pause,
        Trigger.RESUME: _resume,
        Trigger.STOP: _stop,
        Trigger.VOID: _void,
        Trigger.RESTART: _restart,
    }
)


def _standing(state: ClockState, target: Target, calendar: Calendar | None, at: datetime, *, status: str) -> ClockState:
    return replace(state, status=status, elapsed=elapsed_at(state, target, calendar, at), running_since=None)


def _scheduled(state: ClockState, target: Target, calendar: Calendar | None) -> ClockState:
    """The state with its due time and the next instant at which the passing of time changes something."""
    if state.status == BREACHED:
        return replace(state, due_at=state.breached_at, next_check_at=None)
    ahead = _ahead(state, target, calendar)
    if not ahead:
        return replace(state, due_at=None, next_check_at=None)
    return replace(state, due_at=ahead[-1].at, next_check_at=ahead[0].at)


def _ahead(state: ClockState, target: Target, calendar: Calendar | None) -> tuple[Crossing, ...]:
    """The thresholds that a running clock has still to reach, in order; the last one is the breach."""
    if state.running_since is None or state.status != RUNNING:
        return ()
    since = state.running_since
    percents = sorted(set(target.warn_at) - set(state.warned))
    wanted = [(percent, target.seconds * percent / 100 - state.elapsed) for percent in percents]
    warnings = [Crossing(kind="warned", percent=p, at=_after(target, calendar, since, left)) for p, left in wanted]
    due = _after(target, calendar, since, target.seconds - state.elapsed)
    return (*warnings, Crossing(kind="breached", percent=None, at=due))


def _needed(target: Target, calendar: Calendar | None) -> Calendar:
    if calendar is None:
        raise InvalidInput({"calendar": [f"Target “{target.id}” counts business time and needs its calendar."]})
    return calendar


def _after(target: Target, calendar: Calendar | None, since: datetime, seconds: float) -> datetime:
    if target.unit == "elapsed":
        return since + timedelta(seconds=seconds)
    return add(_needed(target, calendar), since, seconds)


def _counted(target: Target, calendar: Calendar | None, since: datetime, until: datetime) -> int | float:
    if target.unit == "elapsed":
        return max(0.0, (until - since).total_seconds())
    return between(_needed(target, calendar), since, until)


def _tidy(seconds: float) -> int | float:
    """Sums of fractions are rounded to the microsecond they were counted in."""
    rounded = round(seconds, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _until(events: Iterable[ClockEvent], until: datetime) -> Iterator[ClockEvent]:
    latest: datetime | None = None
    for event in events:
        if latest and event.at < latest:
            raise InvalidInput({"events": ["The events are not in the order of time."]})
        latest = event.at
        if event.at <= until:
            yield event


def _intervals(
    target: Target, calendar: Calendar | None, states: Sequence[tuple[datetime, ClockState]], until: datetime
) -> Iterator[Interval]:
    """Stretches between changes of pace; the events that changed nothing are passed over."""
    turns = [states[0]]
    for at, state in states[1:]:
        if state.stopped_at or (state.running_since is None) != (turns[-1][1].running_since is None):
            turns.append((at, state))
        if state.stopped_at:
            break
    ends = [at for at, _ in turns[1:]] + [until]
    for (begin, state), end in zip(turns, ends, strict=True):
        if begin < end and not state.stopped_at:
            yield from _stretch(target, calendar, begin, end, counting=state.running_since is not None)


def _stretch(
    target: Target, calendar: Calendar | None, begin: datetime, end: datetime, *, counting: bool
) -> Iterator[Interval]:
    if not counting:
        yield Interval(start=begin, end=end, counted=False, why="paused")
    elif target.unit == "elapsed":
        yield Interval(start=begin, end=end, counted=True, why="running")
    else:
        for span in explain(_needed(target, calendar), begin, end):
            counted = span.why == "open"
            yield Interval(start=span.start, end=span.end, counted=counted, why="running" if counted else span.why)
