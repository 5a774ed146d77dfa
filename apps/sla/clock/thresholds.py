"""The warnings, the breach and the escalations of a clock: what is still ahead of it, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from apps.sla.clock.state import (
    BREACHED,
    ESCALATED,
    VOID,
    WARNED,
    Calendars,
    ClockState,
    Crossing,
    after,
    ends_at_opening,
    opening,
)  # fmt: skip
from apps.sla.targets import Target, part_of


def crossed(state: ClockState, crossing: Crossing) -> ClockState:
    """The state with this threshold behind it."""
    if crossing.kind == WARNED and crossing.percent is not None:
        return replace(state, warned=(*state.warned, crossing.percent))
    if crossing.escalation is not None:
        return replace(state, escalated=(*state.escalated, crossing.escalation.id))
    return replace(state, status=BREACHED, breached_at=crossing.at)


def scheduled(state: ClockState, target: Target, calendars: Calendars) -> ClockState:
    """The state with its due time and the next instant at which the passing of time changes something."""
    if not state.is_live:
        due = state.breached_at if state.status == BREACHED else None if state.status == VOID else state.due_at
        return replace(state, due_at=due, next_check_at=None)
    coming = ahead(state, target, calendars)
    next_check = coming[0].at if coming else None
    if state.status == BREACHED:
        return replace(state, due_at=state.breached_at, next_check_at=next_check)
    due = next((crossing.at for crossing in coming if crossing.kind == BREACHED), None)
    return replace(state, due_at=due, next_check_at=next_check)


def ahead(state: ClockState, target: Target, calendars: Calendars) -> list[Crossing]:
    """The thresholds that a running clock has still to reach, in order; at one instant the breach comes first."""
    if state.running_since is None:
        return []
    found: list[tuple[float, int, Crossing]] = []
    at_opening = ends_at_opening(state, target, calendars)
    for wanted, order, crossing in _thresholds(state, target):
        left, since = wanted - state.elapsed, state.running_since
        at = since if left <= 0 else after(state, target, calendars, since, left)
        if at_opening and wanted == state.allowed:
            at = opening(state, calendars, at)
        found.append((wanted, order, replace(crossing, at=at)))
    return [crossing for _, _, crossing in sorted(found, key=lambda one: one[:2])]


def passed(state: ClockState, target: Target, calendars: Calendars, at: datetime) -> list[Crossing]:
    """The thresholds that what was counted so far has reached already, also of a clock that stands: told at `at`.

    What ends at an opening is not reached by the closing before it.
    """
    found = [(wanted, order, replace(one, at=at)) for wanted, order, one in _thresholds(state, target)]
    reached = sorted((one for one in found if one[0] <= state.elapsed), key=lambda one: one[:2])
    if state.elapsed == state.allowed and ends_at_opening(state, target, calendars):
        reached = [one for one in reached if one[0] < state.allowed]
    return [crossing for _, _, crossing in reached]


def _thresholds(state: ClockState, target: Target) -> Iterator[tuple[float, int, Crossing]]:
    never = datetime.max.replace(tzinfo=UTC)
    if state.status != BREACHED:
        for percent in sorted(set(target.warn_at) - set(state.warned)):
            yield part_of(state.allowed, percent), 1, Crossing(kind=WARNED, percent=percent, at=never)
        yield state.allowed, 0, Crossing(kind=BREACHED, at=never)
    for number, escalation in enumerate(target.escalations):
        if escalation.id not in state.escalated:
            crossing = Crossing(kind=ESCALATED, escalation=escalation, at=never)
            yield escalation.threshold(state.allowed), 2 + number, crossing
