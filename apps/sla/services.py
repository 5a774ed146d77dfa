"""Clocks follow events, and time: what becomes of the stored rows. The caller holds the lock and publishes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core.rows import update_rows
from apps.outbox.models import Stream
from apps.outbox.publish import SYSTEM, NewEvent
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockState, Context, Crossing, Target
from apps.sla.clock.context import REBASED, SUBMITTED
from apps.sla.enums import ClockStatus, SlaEvent
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, events_of, events_told, policy_of, read_told, target_of, unstopped
from apps.sla.targets import SlaPolicy

COLUMNS = (
    "priority", "allowed", "elapsed", "running_since", "due_at", "next_check_at", "breached_at", "stopped_at",
    "open_items",
)  # fmt: skip
LISTS = ("warned", "escalated", "paused_by")
SAVED = [*COLUMNS, *LISTS, "calendar_id", "policy_id", "status"]
UPDATED = [name.removesuffix("_id") for name in SAVED]


@dataclass(kw_only=True)
class Clocks:
    """The clocks of a locked stream during one write: read once, and only if something matters to them.

    `context` is what the events said before the write. `save` writes each that changed once. What the other methods
    return the caller publishes, in that order.
    """

    stream: Stream
    context: Context
    rows: list[SlaClock] | None = None
    changed: dict[int, SlaClock] = field(default_factory=dict)

    @property
    def policy(self) -> SlaPolicy | None:
        """The policy that is in force; None for a request without one."""
        return policy_of(self.context.policy) if self.context.policy else None

    def follow(self, events: Sequence[NewEvent]) -> list[NewEvent]:
        """Lets the clocks follow what just happened, thresholds reached before it included; new ones start."""
        told: list[NewEvent] = []
        for event in events:
            happened = ClockEvent(type=event.type, at=event.at, data=event.data)
            self.context = self.context.after(happened)
            if self.context.policy and event.type in events_of(self.context.policy):
                if event.type == SUBMITTED and self.rows is None:
                    self.rows = []  # nothing can run yet
                if event.type == REBASED:
                    self._rebase(happened, told)
                else:
                    self._follow(happened, told)
        return told

    def next_at(self) -> datetime | None:
        """When the mere passing of time next changes one of them; None if never."""
        return min((row.next_check_at for row in self._moving() if row.next_check_at), default=None)

    def fall_due(self, now: datetime) -> list[NewEvent]:
        """Marks the warnings, breaches and escalations that fell due until `now`, each once."""
        told: list[NewEvent] = []
        due = [row for row in self._moving() if row.next_check_at and row.next_check_at <= now]
        for row in due:
            state, crossings = clock.check(state_of(row), target_of(row), CALENDARS, now)
            store(row, state)
            told += crossings_of(row, crossings)
        self._mark(due)
        return told

    def save(self) -> None:
        """One statement for all clocks that changed, none without."""
        save_clocks([self.changed[pk] for pk in sorted(self.changed)])
        self.changed = {}

    def _moving(self) -> list[SlaClock]:
        """The clocks that events can still move: one SELECT the first time."""
        if self.rows is None:
            self.rows = list(unstopped([self.stream.pk]))
        return [row for row in self.rows if row.stopped_at is None]

    def _mark(self, rows: Iterable[SlaClock]) -> None:
        self.changed |= {row.pk: row for row in rows}

    def _follow(self, event: ClockEvent, told: list[NewEvent]) -> None:
        policy, new = self.policy, []
        assert policy is not None
        live = {row.target: row for row in self._moving()}
        for target in policy.targets:
            row = live.get(target.id)
            begins = clock.begins(target, event, state_of(row) if row else None) and not self._is_over(
                target, row, event
            )
            if row is not None and self._advance(row, target, event, told):
                self._mark([row])
            if begins:
                new.append(started(self.stream, target, self.context, event.at))
        if new:
            self.save()  # a clock that was reset is stopped in the database before its successor is there
            SlaClock.objects.bulk_create(new)
            self.rows = [*(self.rows or []), *new]
            told += [event_of(SlaEvent.STARTED, row, event.at) for row in new]

    def _rebase(self, event: ClockEvent, told: list[NewEvent]) -> None:
        """Measures the live clocks by the versions that the event names: from now on, or (`retroactive`) anew."""
        past = [*events_told(self.stream.pk), event] if event.data.get("retroactive") else None
        for row in self._moving():
            state, crossings, dropped = measured_anew(row, self.context, event, past)
            told += crossings_of(row, crossings)
            if dropped and state.status == ClockStatus.VOID:
                told.append(event_of(SlaEvent.VOIDED, row, event.at))
            if not dropped:
                row.policy_id = self.context.policy or row.policy_id
            store(row, state, anew=past is not None and not dropped)
            self._mark([row])

    def _is_over(self, target: Target, row: SlaClock | None, event: ClockEvent) -> bool:
        """Whether a target that is measured once has been measured."""
        if target.repeats or row is not None or event.type == SUBMITTED:
            return False
        return SlaClock.objects.filter(stream=self.stream, target=target.id).exists()

    def _advance(self, row: SlaClock, target: Target, event: ClockEvent, told: list[NewEvent]) -> bool:
        before = state_of(row)
        state, crossings = clock.advance(before, target, self.context, CALENDARS, event)
        told += crossings_of(row, crossings)
        kind = _TOLD.get((before.status, state.status))
        if kind:
            told.append(event_of(kind, row, event.at))
        store(row, state)
        return state != before


def measured_anew(
    row: SlaClock, context: Context, event: ClockEvent, past: Sequence[ClockEvent] | None
) -> tuple[ClockState, tuple[Crossing, ...], bool]:
    """A live clock after the rebase that `event` tells of: its state, what it has newly behind it, and whether it is
    dropped, because the policy does not measure it any more (its row keeps the version it ran under).

    `context` is that after the event; `past` are all events up to it where the rebase is retroactive, else None.
    """
    assert context.policy is not None
    was, target = target_of(row), policy_of(context.policy).target(row.target)
    if target is not None and past is None:
        return *clock.advance(state_of(row), target, context, CALENDARS, event, was=was), False
    reading = read_told(target, past, event.at) if target is not None and past is not None else None
    if reading is not None:
        return reading.state, tuple(_newly_crossed(row, reading.state, event.at, target or was)), False
    state, crossings = clock.check(state_of(row), was, CALENDARS, event.at)
    return clock.dropped(state, was, CALENDARS, event.at), crossings, True


def fall_due_together(stream_ids: Sequence[int], now: datetime) -> dict[int, list[NewEvent]]:
    """What `Clocks.fall_due` does, for many locked streams in two statements; their events, in the order of time."""
    due = SlaClock.objects.filter(stream_id__in=stream_ids, next_check_at__lte=now).order_by("stream_id", "id")
    rows, told = list(due), defaultdict[int, list[NewEvent]](list)
    for row in rows:
        state, crossings = clock.check(state_of(row), target_of(row), CALENDARS, now)
        store(row, state)
        told[row.stream_id] += crossings_of(row, crossings)
    save_clocks(rows)
    return {pk: sorted(events, key=lambda event: event.at) for pk, events in told.items()}


def save_clocks(rows: Sequence[SlaClock]) -> None:
    """One statement for all of them, none for none."""
    update_rows(rows, UPDATED)


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
        started_at=at,
    )
    store(row, state)
    return row


def _newly_crossed(row: SlaClock, state: ClockState, at: datetime, target: Target) -> list[Crossing]:
    """What a clock that is measured anew has behind it now and had not before, escalations included."""
    found = [Crossing(kind="warned", at=at, percent=percent) for percent in state.warned if percent not in row.warned]
    if state.breached_at is not None and row.status != ClockStatus.BREACHED:
        found.append(Crossing(kind="breached", at=state.breached_at))
    new = [one for one in target.escalations if one.id in state.escalated and one.id not in row.escalated]
    return found + [Crossing(kind="escalated", at=at, escalation=one) for one in new]


def crossings_of(row: SlaClock, crossings: Sequence[Crossing]) -> list[NewEvent]:
    """The events of thresholds that were passed, in order."""
    return [event_of(_CROSSED[crossing.kind], row, crossing.at, crossing=crossing) for crossing in crossings]


def event_of(kind: SlaEvent, row: SlaClock, at: datetime, *, crossing: Crossing | None = None) -> NewEvent:
    """What is told of a clock."""
    data: dict[str, object] = {"clock": row.pk, "target": row.target, "metric": row.metric}
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
_TOLD: Mapping[tuple[str, str], SlaEvent] = {
    (R, P): SlaEvent.PAUSED,
    (P, R): SlaEvent.RESUMED,
    (R, M): SlaEvent.MET,
    (P, M): SlaEvent.MET,
    (R, V): SlaEvent.VOIDED,
    (P, V): SlaEvent.VOIDED,
}
_CROSSED: Mapping[str, SlaEvent] = {
    "warned": SlaEvent.WARNED,
    "breached": SlaEvent.BREACHED,
    "escalated": SlaEvent.ESCALATED,
}
