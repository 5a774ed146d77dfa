"""The whole life of a clock from the request's events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import pairwise

from apps.core.errors import InvalidInput
from apps.sla.clock.context import Context, is_retroactive
from apps.sla.clock.intervals import Interval, Stretch, intervals_of
from apps.sla.clock.state import RUNNING, Calendars, ClockState, elapsed_at
from apps.sla.clock.steps import advance, begins, check, dropped, start
from apps.sla.conditions import ClockEvent
from apps.sla.targets import Target

Targets = Mapping[int, Target | None]


@dataclass(frozen=True, kw_only=True)
class ClockReading:
    """A clock at an instant, with the explanation: `intervals` have no gaps, the counted ones sum to `elapsed`.

    `state` is what is stored of it; `context` what the events had said by then; `moves` are the events that moved its
    due time while it was live.
    """

    status: str
    elapsed: int | float
    due_at: datetime | None
    intervals: tuple[Interval, ...]
    state: ClockState
    context: Context
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Move:
    """An event, by its place among those that were read, and the due time before and after it (None: it stands)."""

    event: int
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, kw_only=True)
class _Turn:
    at: datetime
    state: ClockState
    target: Target
    event: int


def replay(
    target: Target,
    calendars: Calendars,
    events: Iterable[ClockEvent],
    until: datetime,
    *,
    targets: Targets | None = None,
) -> ClockReading:
    """Read the clock at `until` from the request's events, of which later ones are left out.

    `calendars` are those of every version id that the events name. `targets` are the target as other versions of the
    policy state it, by version id (None where it is not there); a version that is not named has `target`. A rebase that
    is retroactive counts from the beginning. After a restart or a reset the reading is that of the latest clock. Raises
    `InvalidInput` if no event starts the clock by then, or if an event is earlier than the one before it.
    """
    lives, context = _lives(target, calendars, list(_until(events, until)), targets)
    if not lives:
        raise InvalidInput({"events": ["No event has started this clock."]})
    return _reading(lives[-1], context, calendars, until)


def latest(
    target: Target,
    calendars: Calendars,
    events: Iterable[ClockEvent],
    until: datetime,
    *,
    targets: Targets | None = None,
) -> ClockState | None:
    """What is stored of the target's latest clock, as `replay` reads it without explaining it; None if no event has
    started one by then. Raises `InvalidInput` if an event is earlier than the one before it.
    """
    lives, _ = _lives(target, calendars, list(_until(events, until)), targets)
    return _checked(lives[-1], calendars, until) if lives else None


def replay_all(
    target: Target,
    calendars: Calendars,
    events: Iterable[ClockEvent],
    until: datetime,
    *,
    targets: Targets | None = None,
) -> tuple[ClockReading, ...]:
    """Every clock of the target, oldest first, the latest as `replay` reads it; empty if no event starts one."""
    lives, context = _lives(target, calendars, list(_until(events, until)), targets)
    return tuple(_reading(turns, context, calendars, until) for turns in lives)


def ahead(reading: ClockReading, target: Target, calendars: Calendars, since: datetime) -> tuple[Interval, ...]:
    """What is to come from `since`, when it was read, to the due time if nothing happens; nothing unless it runs."""
    if reading.status != RUNNING or reading.due_at is None:
        return ()
    return intervals_of([_stretch(reading.state, target, calendars, since, reading.due_at)])


def _lives(
    target: Target, calendars: Calendars, told: Sequence[ClockEvent], targets: Targets | None
) -> tuple[list[list[_Turn]], Context]:
    """The turns of each clock of the target, and the context in the end."""
    lives: list[list[_Turn]] = []
    context, current = Context(), target
    for n, (event, rebases_to_come) in enumerate(_with_rebases(told)):
        context = context.after(event)
        seen = reduce(Context.rebased, rebases_to_come, context)
        was, current = current, _target_at(seen, target, targets) or current
        is_dropped = _target_at(seen, target, targets) is None
        last = lives[-1][-1].state if lives else None
        begin = not is_dropped and begins(current, event, last)
        if last is not None and last.is_live:
            if is_dropped:
                state = dropped(last, was, calendars, event.at)
                lives[-1].append(_Turn(at=event.at, state=state, target=was, event=n))
            else:
                state, _ = advance(last, current, seen, calendars, event, was=was)
                lives[-1].append(_Turn(at=event.at, state=state, target=current, event=n))
        if begin:
            state = start(current, seen, calendars, event.at)
            lives.append([_Turn(at=event.at, state=state, target=current, event=n)])
    return lives, context


def _reading(turns: Sequence[_Turn], context: Context, calendars: Calendars, until: datetime) -> ClockReading:
    state = _checked(turns, calendars, until)
    return ClockReading(
        status=state.status,
        elapsed=elapsed_at(state, turns[-1].target, calendars, until),
        due_at=state.due_at,
        intervals=intervals_of(list(_stretches(turns, calendars, until))),
        state=state,
        context=context,
        moves=tuple(_moves(turns)),
    )


def _checked(turns: Sequence[_Turn], calendars: Calendars, until: datetime) -> ClockState:
    state, _ = check(turns[-1].state, turns[-1].target, calendars, until)
    return state


def _moves(turns: Sequence[_Turn]) -> Iterator[Move]:
    for before, turn in pairwise(turns):
        if turn.state.is_live and turn.state.due_at != before.state.due_at:
            yield Move(event=turn.event, before=before.state.due_at, after=turn.state.due_at)


def _target_at(context: Context, target: Target, targets: Targets | None) -> Target | None:
    if targets is None or context.policy is None:
        return target
    return targets.get(context.policy, target)


def _with_rebases(events: Sequence[ClockEvent]) -> Iterator[tuple[ClockEvent, list[ClockEvent]]]:
    """Each event with the retroactive rebases that are still to come, in order."""
    retroactive = [n for n, event in enumerate(events) if is_retroactive(event)]
    for n, event in enumerate(events):
        yield event, [events[later] for later in retroactive if later > n]


def _until(events: Iterable[ClockEvent], until: datetime) -> Iterator[ClockEvent]:
    latest: datetime | None = None
    for event in events:
        if latest and event.at < latest:
            raise InvalidInput({"events": ["The events are not in the order of time."]})
        latest = event.at
        if event.at <= until:
            yield event


def _stretches(turns: Sequence[_Turn], calendars: Calendars, until: datetime) -> Iterator[Stretch]:
    """From each turn to the next, until the clock stops."""
    ends = [turn.at for turn in turns[1:]] + [until]
    for turn, end in zip(turns, ends, strict=True):
        state = turn.state
        if not state.is_live:
            return
        yield _stretch(state, turn.target, calendars, turn.at, end)


def _stretch(state: ClockState, target: Target, calendars: Calendars, start: datetime, end: datetime) -> Stretch:
    by_calendar = target.durations[state.priority].by_calendar
    calendar = calendars[state.calendar] if by_calendar and state.calendar is not None else None
    return Stretch(
        start=start,
        end=end,
        paused_by=state.paused_by,
        calendar_id=state.calendar if calendar else None,
        calendar=calendar,
    )
