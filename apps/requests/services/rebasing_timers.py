"""Open timers that count business time, under the calendars of a rebase: when they fall due then.

From now on: what has been counted stays, the rest is counted by the new calendar. Retroactively: counted by it from
where the timer started, with every hold after that, as `deadlines.put_deadlines_off` would have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.approvals.models import ApprovalLevel
from apps.calendars.business_time import Calendar, add, between
from apps.calendars.selectors import calendar_of
from apps.outbox.models import Event
from apps.requests.enums import RequestEvent, RequestStatus
from apps.requests.models import Request
from apps.requests.selectors.rounds import policy_at
from apps.requests.services.deadlines import STANDING_STILL
from apps.requests.services.pins import default_calendar
from apps.workflows.enums import TimerKind
from apps.workflows.models import StepVisit, Timer
from apps.workflows.selectors import definition_of

COUNTING = (TimerKind.WAIT, *STANDING_STILL)
Hold = tuple[datetime, datetime | None]
Place = tuple[int, int, int | None, str]


@dataclass(frozen=True, kw_only=True)
class MovedTimer:
    """A timer whose due time changes; its row is not written yet."""

    timer: Timer
    due_at: datetime
    check_at: datetime


@dataclass(frozen=True, kw_only=True)
class _Counting:
    """A timer that counts `seconds` by a calendar that is replaced: since when, and the request's holds."""

    timer: Timer
    seconds: int
    remind_at: tuple[int, ...]
    old: Calendar
    new: Calendar
    started: datetime
    holds: Sequence[Hold]

    def moved(self, now: datetime, *, retroactive: bool) -> MovedTimer | None:
        """None where it is due already, or stays."""
        old_due = self.timer.due_at
        if old_due <= now and not self._held:
            return None
        due = self._from_the_start() if retroactive else self._from_now(now)
        if due == old_due:
            return None
        return MovedTimer(timer=self.timer, due_at=due, check_at=self._check_at(due))

    @property
    def _held(self) -> Hold | None:
        """The hold during which the timer stands still, if the request is held."""
        return self.holds[-1] if self.holds and self.holds[-1][1] is None else None

    def _from_now(self, now: datetime) -> datetime:
        since = max(self._held[0], self.started) if self._held else now
        return add(self.new, since, between(self.old, since, max(self.timer.due_at, since)))

    def _from_the_start(self) -> datetime:
        """Where the row does not say when it started (an instance that was opened later), back from its due time."""
        if self.timer.instance is None or self._put_off(self.old, self.started) == self.timer.due_at:
            return self._put_off(self.new, self.started)
        return add(self.new, add(self.old, self.timer.due_at, -self.seconds), self.seconds)

    def _put_off(self, calendar: Calendar, since: datetime) -> datetime:
        due = add(calendar, since, self.seconds)
        for held, resumed in self.holds:
            if resumed is not None and resumed > since:
                stood = max(held, since)
                due = add(calendar, resumed, between(calendar, stood, max(due, stood)))
        return due

    def _check_at(self, due: datetime) -> datetime:
        """The first reminder that was not given yet, else when it is due."""
        left = [self.seconds * (100 - percent) // 100 for percent in self.remind_at]
        to_come = [one for one in left if add(self.old, self.timer.due_at, -one) >= self.timer.check_at]
        return min([add(self.new, due, -one) for one in to_come] + [due])


@dataclass(frozen=True, kw_only=True)
class OpenTimers:
    """The open timers of some requests, by stream, and what is needed to measure them."""

    timers: Mapping[int, Sequence[Timer]] = field(default_factory=dict)
    visits: Mapping[tuple[int, int], tuple[str, datetime]] = field(default_factory=dict)
    levels: Mapping[Place, datetime] = field(default_factory=dict)
    holds: Mapping[int, Sequence[Hold]] = field(default_factory=dict)

    @classmethod
    def of(cls, requests: Sequence[Request]) -> OpenTimers:
        """At most four statements, one without timers."""
        ids = [request.pk for request in requests]
        found = Timer.objects.filter(stream__in=ids, closed_at=None, kind__in=COUNTING).select_related("run")
        timers: defaultdict[int, list[Timer]] = defaultdict(list)
        for timer in found.order_by("id"):
            timers[timer.stream_id].append(timer)
        every = [timer for some in timers.values() for timer in some]
        if not every:
            return cls()
        return cls(timers=timers, visits=_visits(every), levels=_levels(every), holds=_holds(every))

    def moved(
        self, request: Request, replaces: Mapping[int, int], now: datetime, *, retroactive: bool
    ) -> list[MovedTimer]:
        """Those of the request that fall due at another time. No statement but for a definition not yet read."""
        counting = (self._counting(timer, request, replaces) for timer in self.timers.get(request.pk, ()))
        return [moved for one in counting if one and (moved := one.moved(now, retroactive=retroactive))]

    def _counting(self, timer: Timer, request: Request, replaces: Mapping[int, int]) -> _Counting | None:
        """None where it counts by no calendar that is replaced."""
        step, opened_at = self.visits[timer.run_id, timer.visit]
        seconds, key, remind_at = _spec(timer, step, request.pins)
        pinned = request.pins.get("calendars", {}).get(key)
        if pinned not in replaces:
            return None
        place = (timer.run_id, timer.visit, timer.instance, timer.deadline)
        holds = self.holds.get(timer.stream_id, ())
        return _Counting(
            timer=timer,
            seconds=seconds,
            remind_at=remind_at,
            old=calendar_of(pinned),
            new=calendar_of(replaces[pinned]),
            started=self.levels.get(place, opened_at) if timer.kind == TimerKind.APPROVAL else opened_at,
            holds=_of_timer(timer, holds, held=request.status == RequestStatus.ON_HOLD),
        )


def moved_timers(
    request: Request, replaces: Mapping[int, int], now: datetime, *, retroactive: bool
) -> list[MovedTimer]:
    """The open timers of one request that fall due at another time; no statement where no calendar is replaced."""
    if not replaces:
        return []
    return OpenTimers.of([request]).moved(request, replaces, now, retroactive=retroactive)


def _of_timer(timer: Timer, holds: Sequence[Hold], *, held: bool) -> Sequence[Hold]:
    """The holds during which it stands still: waits go on."""
    if timer.kind == TimerKind.WAIT:
        return ()
    return holds if held else [hold for hold in holds if hold[1] is not None]


def _visits(timers: Sequence[Timer]) -> dict[tuple[int, int], tuple[str, datetime]]:
    rows = StepVisit.objects.filter(run__in={timer.run_id for timer in timers})
    return {
        (run, number): (step, at) for run, number, step, at in rows.values_list("run", "number", "step", "opened_at")
    }


def _levels(timers: Sequence[Timer]) -> dict[Place, datetime]:
    runs = {timer.run_id for timer in timers if timer.kind == TimerKind.APPROVAL}
    if not runs:
        return {}
    rows = ApprovalLevel.objects.filter(approval__visit__run__in=runs).order_by("id")
    columns = ("approval__visit__run", "approval__visit__number", "approval__instance", "key", "opened_at")
    return {(run, visit, instance, key): at for run, visit, instance, key, at in rows.values_list(*columns)}


def _holds(timers: Sequence[Timer]) -> Mapping[int, list[Hold]]:
    """When each request was held and taken up again, oldest first; the last may still go on."""
    streams = {timer.stream_id for timer in timers if timer.kind in STANDING_STILL}
    found: defaultdict[int, list[Hold]] = defaultdict(list)
    told = Event.objects.filter(stream__in=streams, type__in=[RequestEvent.HELD, RequestEvent.RESUMED])
    for stream, kind, at in told.order_by("stream", "seq").values_list("stream", "type", "at") if streams else ():
        holds = found[stream]
        if kind == RequestEvent.HELD:
            holds.append((at, None))
        elif holds and holds[-1][1] is None:
            holds[-1] = (holds[-1][0], at)
    return found


Spec = tuple[int, str | None, tuple[int, ...]]


def _spec(timer: Timer, step: str, pins: Mapping[str, Any]) -> Spec:
    """How many business seconds it counts, by which calendar (its key; None: by none), and when it reminds."""
    return _SPECS[timer.kind](timer, step, pins)


def _of_wait(timer: Timer, step: str, _pins: Mapping[str, Any]) -> Spec:
    return _of_duration(definition_of(timer.run.version_id).step(step).settings.get("for", {}))


def _of_deadline(timer: Timer, step: str, _pins: Mapping[str, Any]) -> Spec:
    deadlines = definition_of(timer.run.version_id).step(step).settings.get("deadlines", ())
    return _of_duration(next((one["after"] for one in deadlines if one["id"] == timer.deadline), {}))


def _of_duration(after: Mapping[str, Any]) -> Spec:
    return after.get("business_seconds", 0), after.get("calendar"), ()


def _of_level(timer: Timer, step: str, pins: Mapping[str, Any]) -> Spec:
    policy = policy_at(definition_of(timer.run.version_id).step(step), version=timer.run.version_id, pins=pins)
    deadline = next((one.deadline for one in policy.levels if one.id == timer.deadline), None)
    if deadline is None:
        return 0, None, ()
    return deadline.business_seconds, deadline.calendar or default_calendar(pins), tuple(deadline.remind_at)


_SPECS: Mapping[str, Callable[[Timer, str, Mapping[str, Any]], Spec]] = {
    TimerKind.WAIT: _of_wait,
    TimerKind.DEADLINE: _of_deadline,
    TimerKind.APPROVAL: _of_level,
}
