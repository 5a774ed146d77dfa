"""Starting clocks, letting them follow events, noticing what fell due. The caller holds the lock and publishes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(kw_only=True)
class Clocks:
    """The clocks of a locked stream during one write: read once, and only if something matters to them.

    `save` writes each that changed once. What the other methods return the caller publishes, in that order.
    """

    stream: Stream
    rows: list[SlaClock] | None = None
    changed: dict[int, SlaClock] = field(default_factory=dict)

    def start(self, *, policy_id: int, calendars: Mapping[str, int], priority: str, at: datetime) -> list[NewEvent]:
        """One running clock per target of the policy for this priority. `calendars`: key -> version id, as pinned."""
        targets = targets_of(policy_id, priority)
        rows = [
            _started(self.stream, target, policy_id, calendars.get(target.calendar or ""), priority, at)
            for target in targets
        ]
        SlaClock.objects.bulk_create(rows)
        self.rows = rows
        return [_event(SlaEvent.STARTED, row, at) for row in rows]

    def follow(self, events: Sequence[NewEvent]) -> list[NewEvent]:
        """Lets the clocks follow what just happened, thresholds reached before it included."""
        told: list[NewEvent] = []
        for event in events:
            if event.type in FOLLOWED and event.type != "request.submitted":
                self._mark(row for row in self._moving() if _follow(row, event, told))
                if event.type == RESTARTS:
                    self._restart(event.at, told)
        return told

    def next_at(self) -> datetime | None:
        """When the mere passing of time next changes one of them; None if never."""
        return min((row.next_check_at for row in self._moving() if row.next_check_at), default=None)

    def fall_due(self, now: datetime) -> list[NewEvent]:
        """Marks the warnings and breaches that fell due until `now`, each once."""
        told: list[NewEvent] = []
        due = [row for row in self._moving() if row.next_check_at and row.next_check_at <= now]
        for row in due:
            state, crossings = clock.check(state_of(row), target_of(row), calendar_of_clock(row), now)
            _store(row, state)
            told += _crossings(row, crossings)
        self._mark(due)
        return told

    def save(self) -> None:
        """One statement for all clocks that changed, none without: an upsert, which the ORM puts together in a fifth of
        the time that `bulk_update` takes for its branches per column and row.
        """
        if self.changed:
            rows = [self.changed[pk] for pk in sorted(self.changed)]
            SlaClock.objects.bulk_create(rows, update_conflicts=True, unique_fields=["pk"], update_fields=SAVED)
        self.changed = {}

    def _moving(self) -> list[SlaClock]:
        """The clocks that events can still move: one SELECT the first time."""
        if self.rows is None:
            self.rows = list(unstopped([self.stream.pk]))
        return [row for row in self.rows if row.stopped_at is None]

    def _mark(self, rows: Iterable[SlaClock]) -> None:
        self.changed |= {row.pk: row for row in rows}

    def _restart(self, at: datetime, told: list[NewEvent]) -> None:
        """A reopened request is measured anew: the latest clock of each resolution target gets a successor."""
        self.save()
        past = SlaClock.objects.filter(stream=self.stream, metric="resolution").order_by("id")
        latest = {row.target: row for row in past}
        rows = [
            _started(self.stream, target_of(last), last.policy_id, last.calendar_id, last.priority, at)
            for last in latest.values()
            if last.stopped_at is not None or last.status == ClockStatus.VOID
        ]
        SlaClock.objects.bulk_create(rows)
        self.rows = [*(self.rows or []), *rows]
        told += [_event(SlaEvent.STARTED, row, at) for row in rows]


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
