"""A clock started, and moved by events and by time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from apps.sla.clock.context import CONTEXT_EVENTS, REBASED, Context
from apps.sla.clock.state import (
    BREACHED,
    MET,
    PAUSED,
    RUNNING,
    VOID,
    Calendars,
    ClockState,
    Crossing,
    allowed,
    elapsed_at,
    known,
)  # fmt: skip
from apps.sla.clock.thresholds import ahead, crossed, passed, scheduled
from apps.sla.conditions import Change, ClockEvent
from apps.sla.targets import Target

HELD, NOT_HOLDER = "hold", "other team"


def begins(target: Target, event: ClockEvent, before: ClockState | None) -> bool:
    """Whether the event begins a new clock of the target, whose last clock was `before`: it starts one where none is
    live, or resets the live one.
    """
    if before is None or not before.is_live:
        return (before is None or target.repeats) and _fits(target, event, Change.START)
    return change_of(target, event) is Change.RESET


def start(target: Target, context: Context, calendars: Calendars, at: datetime) -> ClockState:
    """A clock that begins to count at `at`. One that counts by a calendar needs it (`InvalidInput`)."""
    calendar = context.calendar_of(target)
    duration = target.durations[context.priority]
    state = ClockState(
        target_id=target.id,
        status=RUNNING,
        priority=context.priority,
        calendar=calendar,
        started_at=at,
        allowed=allowed(duration, known(target, duration, calendars, calendar), at),
        running_since=at,
    )
    if target.team and context.team != target.team:
        state = _pause(state, target, calendars, at, NOT_HOLDER)
    return scheduled(state, target, calendars)


def check(
    state: ClockState, target: Target, calendars: Calendars, now: datetime
) -> tuple[ClockState, tuple[Crossing, ...]]:
    """Let time pass until `now`: the thresholds reached by then, each once and at its own instant, in order.

    Also those of a clock whose `next_check_at` was put off.
    """
    if state.next_check_at is None:
        return state, ()
    crossings = tuple(crossing for crossing in ahead(state, target, calendars) if crossing.at <= now)
    if not crossings and now < state.next_check_at:
        return state, ()
    for crossing in crossings:
        state = crossed(state, crossing)
    return scheduled(state, target, calendars), crossings


def advance(
    state: ClockState,
    target: Target,
    context: Context,
    calendars: Calendars,
    event: ClockEvent,
    *,
    was: Target | None = None,
) -> tuple[ClockState, tuple[Crossing, ...]]:
    """What fell due until the event, as `check` gives it, and then the event; one that does not fit is passed over.

    `context` is that after the event; `was` is the target before it, where a rebase brought another version. A stopped
    clock stays as it is: what starts it again is another clock.
    """
    change = change_of(target, event) if state.is_live else None
    if not state.is_live or (change is None and event.type not in CONTEXT_EVENTS):
        return state, ()
    state, crossings = check(state, was or target, calendars, event.at)
    late: list[Crossing] = []
    if event.type in CONTEXT_EVENTS:
        state = _follow(state, target, was or target, context, calendars, event)
        late = passed(state, target, calendars, event.at)
        for crossing in late:
            state = crossed(state, crossing)
    if change is not None:
        state = _changed(state, target, calendars, event.at, change)
    return scheduled(state, target, calendars), (*crossings, *late)


def _with_done(state: ClockState, done: Mapping[str, Any]) -> ClockState:
    """What was told before the clock was measured anew is not told again."""
    return replace(
        state,
        warned=tuple(sorted({*state.warned, *done.get("warned", ())})),
        escalated=tuple(dict.fromkeys((*state.escalated, *done.get("escalated", ())))),
    )


def dropped(state: ClockState, target: Target, calendars: Calendars, at: datetime) -> ClockState:
    """A live clock whose target its policy does not have any more."""
    state, _ = check(state, target, calendars, at)
    return scheduled(_stop(state, target, calendars, at, void=True), target, calendars)


def change_of(target: Target, event: ClockEvent) -> Change | None:
    """What the event does to a live clock of the target, None if nothing."""
    return next((change for change in Change if _fits(target, event, change)), None)


def _fits(target: Target, event: ClockEvent, change: Change) -> bool:
    return any(one.fits(event) for one in target.changes.get(change, ()))


def _changed(state: ClockState, target: Target, calendars: Calendars, at: datetime, change: Change) -> ClockState:
    if change is Change.START:
        return replace(state, open_items=state.open_items + 1) if target.counts_items else state
    if change in (Change.STOP, Change.CANCEL) and target.counts_items and state.open_items > 1:
        return replace(state, open_items=state.open_items - 1)
    if change is Change.PAUSE:
        return _pause(state, target, calendars, at, HELD)
    if change is Change.RESUME:
        return _resume(state, at, HELD)
    return _stop(state, target, calendars, at, void=change is not Change.STOP)


def _pause(state: ClockState, target: Target, calendars: Calendars, at: datetime, why: str) -> ClockState:
    if why in state.paused_by:
        return state
    standing = _standing(state, target, calendars, at) if state.running_since else state
    status = PAUSED if standing.status == RUNNING else standing.status
    return replace(standing, status=status, paused_by=tuple(sorted({*state.paused_by, why})))


def _resume(state: ClockState, at: datetime, why: str) -> ClockState:
    left = tuple(reason for reason in state.paused_by if reason != why)
    if left == state.paused_by:
        return state
    if left:
        return replace(state, paused_by=left)
    status = RUNNING if state.status == PAUSED else state.status
    return replace(state, status=status, paused_by=(), running_since=at)


def _stop(state: ClockState, target: Target, calendars: Calendars, at: datetime, *, void: bool) -> ClockState:
    status = BREACHED if state.status == BREACHED else VOID if void else MET
    standing = _standing(state, target, calendars, at) if state.running_since else state
    return replace(standing, status=status, stopped_at=at, reached=not void, paused_by=(), open_items=0)


def _standing(state: ClockState, target: Target, calendars: Calendars, at: datetime) -> ClockState:
    return replace(state, elapsed=elapsed_at(state, target, calendars, at), running_since=None)


def _follow(
    state: ClockState, target: Target, was: Target, context: Context, calendars: Calendars, event: ClockEvent
) -> ClockState:
    """The clock under the priority, the calendar and the holder of the request from now on; what was counted stays."""
    at, calendar, duration = event.at, context.calendar_of(target), target.durations[context.priority]
    begins_now = at == state.started_at  # who holds the request is told after it was submitted
    is_measured_anew = context.priority != state.priority or event.type == REBASED or begins_now
    if is_measured_anew or calendar != state.calendar:
        found = known(target, duration, calendars, calendar)
        state = replace(
            state,
            priority=context.priority,
            calendar=calendar,
            allowed=allowed(duration, found, state.started_at) if is_measured_anew else state.allowed,
            elapsed=elapsed_at(state, was, calendars, at),
            running_since=None if state.running_since is None else at,
        )
    if event.type == REBASED:
        state = _with_done(state, (event.data.get("done") or {}).get(target.id) or {})
    if target.team:
        is_holder = context.team == target.team
        return _resume(state, at, NOT_HOLDER) if is_holder else _pause(state, target, calendars, at, NOT_HOLDER)
    return state
