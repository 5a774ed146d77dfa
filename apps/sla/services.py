"""Starting clocks, letting them follow events, noticing what fell due. The caller holds the lock and publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from apps.calendars.business_time import Calendar
from apps.calendars.selectors import calendar_of
from apps.outbox.models import Stream
from apps.outbox.publish import SYSTEM, NewEvent
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockState, Crossing
from apps.sla.enums import ClockStatus, SlaEvent
from apps.sla.models import SlaClock
from apps.sla.selectors import targets_of, unstopped
from apps.sla.targets import Target

COLUMNS = ("elapsed", "running_since", "due_at", "next_check_at", "breached_at", "stopped_at")
SAVED = [*COLUMNS, "status", "warned"]
FOLLOWED = frozenset(kind for table in clock.TRIGGERS.values() for kind in table)
RESTARTS = "request.reopened"


def start_clocks(
    stream: Stream, *, policy_id: int, calendars: Mapping[str, int], priority: str, at: datetime
) -> list[NewEvent]:
    """One running clock for each target the policy has for this priority. `calendars`: key -> version id, as pinned."""
    targets = targets_of(policy_id, priority)
    rows = [
        _started(stream, target, policy_id, calendars.get(target.calendar or ""), priority, at) for target in targets
    ]
    SlaClock.objects.bulk_create(rows)
    return [_event(SlaEvent.STARTED, row, at) for row in rows]


def follow(stream: Stream, events: Sequence[NewEvent]) -> list[NewEvent]:
    """Lets the stream's clocks follow what just happened; returns what is to be told of them.

    Reads nothing unless an event matters to a clock; otherwise one SELECT and one UPDATE, however many clocks.
    """
    moving = [event for event in events if event.type in FOLLOWED and event.type != "request.submitted"]
    if not moving:
        return []
    told: list[NewEvent] = []
    rows = list(unstopped([stream.pk]))
    changed: dict[int, SlaClock] = {}
    for event in moving:
        changed |= {row.pk: row for row in rows if _follow(row, event, told)}
        if event.type == RESTARTS:
            rows += _restarted(stream, event.at, told)
    if changed:
        SlaClock.objects.bulk_update(changed.values(), SAVED)
    return told


def check_due(stream: Stream, *, now: datetime) -> list[NewEvent]:
    """Marks the warnings and breaches that fell due until `now`, each once; returns their events."""
    told: list[NewEvent] = []
    changed = []
    for row in unstopped([stream.pk]).filter(next_check_at__lte=now):
        state, crossings = clock.check(state_of(row), target_of(row), calendar_of_clock(row), now)
        _store(row, state)
        told += _crossings(row, crossings)
        changed.append(row)
    if changed:
        SlaClock.objects.bulk_update(changed, SAVED)
    return told


def state_of(row: SlaClock) -> ClockState:
    """The stored clock as the pure core's value."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return ClockState(target_id=row.target, status=row.status, warned=tuple(row.warned), **values)


def target_of(row: SlaClock) -> Target:
    """The target the clock measures, from its pinned policy."""
    return next(target for target in targets_of(row.policy_id, row.priority) if target.id == row.target)


def calendar_of_clock(row: SlaClock) -> Calendar | None:
    """The pinned calendar; None for a target in plain hours."""
    return calendar_of(row.calendar_id) if row.calendar_id else None


def _started(
    stream: Stream, target: Target, policy_id: int, calendar_id: int | None, priority: str, at: datetime
) -> SlaClock:
    state = clock.start(target, calendar_of(calendar_id) if calendar_id else None, at)
    row = SlaClock(
        stream=stream,
        policy_id=policy_id,
        calendar_id=calendar_id,
        target=target.id,
        metric=target.metric,
        priority=priority,
        started_at=at,
    )
    _store(row, state)
    return row


def _restarted(stream: Stream, at: datetime, told: list[NewEvent]) -> list[SlaClock]:
    """A reopened request is measured anew: the latest clock of each resolution target gets a successor."""
    past = SlaClock.objects.filter(stream=stream, metric="resolution").order_by("id")
    latest = {row.target: row for row in past}
    rows = [
        _started(stream, target_of(last), last.policy_id, last.calendar_id, last.priority, at)
        for last in latest.values()
        if last.stopped_at is not None or last.status == ClockStatus.VOID
    ]
    SlaClock.objects.bulk_create(rows)
    told += [_event(SlaEvent.STARTED, row, at) for row in rows]
    return rows


def _follow(row: SlaClock, event: NewEvent, told: list[NewEvent]) -> bool:
    before = state_of(row)
    moved = ClockEvent(type=event.type, at=event.at, data=event.data)
    state, crossings = clock.advance(before, target_of(row), calendar_of_clock(row), moved)
    told += _crossings(row, crossings)
    kind = _TOLD.get((before.status, state.status))
    if kind:
        told.append(_event(kind, row, event.at))
    _store(row, state)
    return state != before


def _store(row: SlaClock, state: ClockState) -> None:
    """The pure core's value into the row; a new status through its transition."""
    for name in COLUMNS:
        setattr(row, name, getattr(state, name))
    row.warned = list(state.warned)
    for step in _PATHS.get((row.status, state.status), ()):
        step(row)


def _crossings(row: SlaClock, crossings: Sequence[Crossing]) -> list[NewEvent]:
    kinds = {"warned": SlaEvent.WARNED, "breached": SlaEvent.BREACHED}
    return [_event(kinds[crossing.kind], row, crossing.at, percent=crossing.percent) for crossing in crossings]


def _event(kind: SlaEvent, row: SlaClock, at: datetime, *, percent: int | None = None) -> NewEvent:
    data: dict[str, object] = {"clock": row.pk, "target": row.target, "metric": row.metric}
    if percent is not None:
        data["percent"] = percent
    if kind in (SlaEvent.WARNED, SlaEvent.BREACHED):
        data["reached_at"] = at.isoformat()  # the event's own `at` never goes back behind an earlier event
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
_TOLD: Mapping[tuple[str, str], SlaEvent] = {
    (R, P): SlaEvent.PAUSED,
    (P, R): SlaEvent.RESUMED,
    (R, M): SlaEvent.MET,
    (P, M): SlaEvent.MET,
    (R, V): SlaEvent.VOIDED,
    (P, V): SlaEvent.VOIDED,
}
