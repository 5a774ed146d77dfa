"""A stored clock and the pure core's value of it, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.outbox.models import Stream
from apps.outbox.publish import SYSTEM, NewEvent
from apps.sla import clock
from apps.sla.clock import ClockState, Context, Crossing, Target
from apps.sla.enums import ClockStatus, SlaEvent
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, target_of

COLUMNS = (
    "priority", "allowed", "elapsed", "running_since", "due_at", "next_check_at", "breached_at", "stopped_at",
    "reached", "open_items",
)  # fmt: skip
LISTS = ("warned", "escalated", "paused_by")
SAVED = [*COLUMNS, *LISTS, "calendar_id", "policy_id", "metric", "team", "started_at", "status"]
UPDATED = [name.removesuffix("_id") for name in SAVED]


def state_of(row: SlaClock) -> ClockState:
    """The stored clock as the pure core's value."""
    values: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    values |= {name: tuple(getattr(row, name)) for name in LISTS}
    return ClockState(
        target_id=row.target, status=row.status, calendar=row.calendar_id, started_at=row.started_at, **values
    )


def store(row: SlaClock, state: ClockState, *, anew: bool = False) -> None:
    """The pure core's value into the row; a new status through its transition (`anew`: from whatever it was)."""
    for name in COLUMNS:
        setattr(row, name, getattr(state, name))
    for name in LISTS:
        setattr(row, name, list(getattr(state, name)))
    row.calendar_id = state.calendar
    if anew:
        row.started_at = state.started_at
        row.measure_anew(state.status)
        return
    for step in _PATHS.get((row.status, state.status), ()):
        step(row)


def started(stream: Stream, target: Target, context: Context, at: datetime) -> SlaClock:
    """The row of a clock that starts, not yet written."""
    assert context.policy is not None
    state = clock.start(target, context, CALENDARS, at)
    row = SlaClock(
        stream=stream,
        policy_id=context.policy,
        target=target.id,
        metric=target.metric,
        team=target.team,
        started_at=at,
    )
    store(row, state)
    return row


def begun(stream: Stream, target: Target, state: ClockState, *, policy: int) -> SlaClock:
    """The row of a clock that a rebase begins, as the events tell it by then; not yet written."""
    row = SlaClock(stream=stream, policy_id=policy, target=target.id, metric=target.metric, team=target.team)
    store(row, state, anew=True)
    return row


def carry_over(row: SlaClock, policy: int) -> None:
    """The row under another version of its policy, by which its target may be another team's own, or no team's."""
    row.policy_id = policy
    target = target_of(row)
    row.metric, row.team = target.metric, target.team


def crossings_of(row: SlaClock, crossings: Sequence[Crossing]) -> list[NewEvent]:
    """The events of thresholds that were passed, in order."""
    return [event_of(_CROSSED[crossing.kind], row, crossing.at, crossing=crossing) for crossing in crossings]


def event_of(kind: SlaEvent, row: SlaClock, at: datetime, *, crossing: Crossing | None = None) -> NewEvent:
    """What is told of a clock; that of a team's own target is marked as internal."""
    data: dict[str, object] = {"clock": row.pk, "target": row.target, "metric": row.metric}
    if row.team:
        data["internal"] = True
    if crossing is not None:
        data["reached_at"] = at.isoformat()  # the event's own `at` never goes back behind an earlier event
        if crossing.percent is not None:
            data["percent"] = crossing.percent
        if crossing.escalation is not None:
            data["escalation"], data["do"] = crossing.escalation.id, crossing.escalation.do
    return NewEvent(type=kind, actor=SYSTEM, at=at, data=data)


R, P, M, B, V = ClockStatus.RUNNING, ClockStatus.PAUSED, ClockStatus.MET, ClockStatus.BREACHED, ClockStatus.VOID
_PATHS: Mapping[tuple[str, str], tuple[Callable[[SlaClock], None], ...]] = {
    (R, P): (SlaClock.pause,),
    (P, R): (SlaClock.resume,),
    (R, M): (SlaClock.meet,),
    (P, M): (SlaClock.meet,),
    (R, B): (SlaClock.breach,),
    (P, B): (SlaClock.breach,),
    (R, V): (SlaClock.void,),
    (P, V): (SlaClock.void,),
}
_CROSSED: Mapping[str, SlaEvent] = {
    "warned": SlaEvent.WARNED,
    "breached": SlaEvent.BREACHED,
    "escalated": SlaEvent.ESCALATED,
}
