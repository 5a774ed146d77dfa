"""Clocks follow events, and time: what becomes of the stored rows. The caller holds the lock and publishes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.core.rows import update_rows
from apps.outbox.models import Stream
from apps.outbox.publish import NewEvent
from apps.sla import clock
from apps.sla.anew import begins_clocks, ended, measured_anew, newly_begun, told_of_begun
from apps.sla.clock import ClockEvent, Context, Target
from apps.sla.clock.context import REBASED, SUBMITTED, is_retroactive
from apps.sla.enums import ClockStatus, SlaEvent
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, events_of, events_told, policy_of, state_told, target_of, unstopped
from apps.sla.stored import UPDATED, begun, carry_over, crossings_of, event_of, started, state_of, store
from apps.sla.targets import SlaPolicy


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
    heard: list[ClockEvent] = field(default_factory=list)

    @property
    def policy(self) -> SlaPolicy | None:
        """The policy that is in force; None for a request without one."""
        return policy_of(self.context.policy) if self.context.policy else None

    def follow(self, events: Sequence[NewEvent]) -> list[NewEvent]:
        """Lets the clocks follow what just happened, thresholds reached before it included; new ones start."""
        told: list[NewEvent] = []
        for event in events:
            happened = ClockEvent(type=event.type, at=event.at, data=event.data)
            self.heard.append(happened)
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
        return min((row.next_check_at for row in self.moving() if row.next_check_at), default=None)

    def fall_due(self, now: datetime) -> list[NewEvent]:
        """Marks the warnings, breaches and escalations that fell due until `now`, each once."""
        told: list[NewEvent] = []
        due = [row for row in self.moving() if row.next_check_at and row.next_check_at <= now]
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

    def moving(self) -> list[SlaClock]:
        """The clocks that events can still move: one SELECT the first time."""
        if self.rows is None:
            self.rows = list(unstopped([self.stream.pk]))
        return [row for row in self.rows if row.stopped_at is None]

    def _mark(self, rows: Iterable[SlaClock]) -> None:
        self.changed |= {row.pk: row for row in rows}

    def _follow(self, event: ClockEvent, told: list[NewEvent]) -> None:
        policy, new = self.policy, []
        assert policy is not None
        live = {row.target: row for row in self.moving()}
        for target in policy.targets:
            row = live.get(target.id)
            begins = clock.begins(target, event, state_of(row) if row else None) and not self._is_over(
                target, row, event
            )
            if row is not None and self._advance(row, target, event, told):
                self._mark([row])
            if begins:
                new.append(started(self.stream, target, self.context, event.at))
        self._add(new)
        told += [event_of(SlaEvent.STARTED, row, event.at) for row in new]

    def _add(self, new: Sequence[SlaClock]) -> None:
        if new:
            self.save()  # a clock that was reset is stopped in the database before its successor is there
            SlaClock.objects.bulk_create(new)
            self.rows = [*(self.rows or []), *new]

    def _rebase(self, event: ClockEvent, told: list[NewEvent]) -> None:
        """Measures the live clocks by the versions that the event names: from now on, or (`retroactive`) anew; then
        those begin that there would be too, had a new policy been in force from the beginning.
        """
        assert self.context.policy is not None
        past = self._told() if is_retroactive(event) else None
        new = newly_begun(self.context, event, past, self._all()) if past and begins_clocks(event) else []
        for row in self.moving():
            state, crossings, dropped = measured_anew(row, self.context, event, past)
            if not dropped:
                carry_over(row, self.context.policy)  # before anything is told, which may be internal by now
            told += crossings_of(row, crossings)
            told += ended(row, state, event.at)
            store(row, state, anew=past is not None and not dropped)
            self._mark([row])
        rows = [begun(self.stream, target, state, policy=self.context.policy) for target, state in new]
        self._add(rows)
        for row, (target, _) in zip(rows, new, strict=True):
            told += told_of_begun(row, target, event.at)

    def _told(self) -> list[ClockEvent]:
        """Everything told so far, in this write too."""
        return [*events_told(self.stream.pk), *self.heard]

    def _all(self) -> list[SlaClock]:
        """The clocks that events can still move, and those that have stopped."""
        moving = self.moving()
        known = {row.pk for row in self.rows or ()}
        stored = SlaClock.objects.filter(stream=self.stream).exclude(stopped_at=None)
        stopped = [row for row in self.rows or () if row.stopped_at is not None]
        return [*moving, *stopped, *(row for row in stored if row.pk not in known)]

    def _is_over(self, target: Target, row: SlaClock | None, event: ClockEvent) -> bool:
        """Whether a target that is measured once has been measured, by the rules in force."""
        if target.repeats or row is not None or event.type == SUBMITTED:
            return False
        told = self._told()[:-1]
        if any(map(is_retroactive, told)):
            return state_told(target, told, event.at) is not None
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


R, P, M, V = ClockStatus.RUNNING, ClockStatus.PAUSED, ClockStatus.MET, ClockStatus.VOID
_TOLD: Mapping[tuple[str, str], SlaEvent] = {
    (R, P): SlaEvent.PAUSED,
    (P, R): SlaEvent.RESUMED,
    (R, M): SlaEvent.MET,
    (P, M): SlaEvent.MET,
    (R, V): SlaEvent.VOIDED,
    (P, V): SlaEvent.VOIDED,
}
