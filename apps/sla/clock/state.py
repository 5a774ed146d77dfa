"""A clock as it is stored, and the counting of its time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.calendars.business_time import Calendar, add, add_days, between, next_open, wall_to_instant
from apps.core.errors import InvalidInput
from apps.sla.targets import Duration, Escalation, Target

RUNNING, PAUSED, MET, BREACHED, VOID = "running", "paused", "met", "breached", "void"
WARNED, ESCALATED = "warned", "escalated"
Calendars = Mapping[int, Calendar]


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """A clock as it is stored. `elapsed` are the seconds counted before `running_since`, which is None while it stands.

    `allowed` are the seconds it may count; `calendar` is the id of the version it counts by; `paused_by` says why it
    stands. `warned` are the percentages and `escalated` the ids already reached; `due_at` is None while it is paused,
    `next_check_at` unless the mere passing of time can change something. `reached` is whether what it measures came to
    pass, in time or late: a breached clock stops without that when its request is cancelled or its target dropped.
    `open_items` are the things still open that it measures.
    """

    target_id: str
    status: str
    priority: str
    calendar: int | None
    started_at: datetime
    allowed: int | float
    elapsed: int | float = 0
    running_since: datetime | None = None
    due_at: datetime | None = None
    next_check_at: datetime | None = None
    paused_by: tuple[str, ...] = ()
    warned: tuple[int, ...] = ()
    escalated: tuple[str, ...] = ()
    breached_at: datetime | None = None
    stopped_at: datetime | None = None
    reached: bool = False
    open_items: int = 1

    @property
    def is_live(self) -> bool:
        """Whether events can still move it."""
        return self.stopped_at is None


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A threshold passed, and exactly when: `warned` at a percentage, `breached`, or `escalated` by its id."""

    kind: str
    at: datetime
    percent: int | None = None
    escalation: Escalation | None = None


def elapsed_at(state: ClockState, target: Target, calendars: Calendars, now: datetime) -> int | float:
    """The seconds counted until `now`."""
    if state.running_since is None:
        return state.elapsed
    return tidy(state.elapsed + counted(state, target, calendars, state.running_since, now))


def allowed(duration: Duration, calendar: Calendar | None, since: datetime) -> int | float:
    """The seconds that a duration which begins at `since` allows, counted as it counts.

    Days are resolved once: n business days on by the calendar, or the same wall time n calendar days on.
    """
    if duration.unit == "business_days":
        assert calendar is not None
        return between(calendar, since, add_days(calendar, since, duration.n))
    if duration.unit == "calendar_days":
        return tidy((_days_on(calendar, since, duration.n) - since).total_seconds())
    return duration.n


def _days_on(calendar: Calendar | None, since: datetime, n: int) -> datetime:
    if calendar is None:
        return since + timedelta(days=n)
    local = since.astimezone(ZoneInfo(calendar.hours.time_zone))
    day = (local + timedelta(days=n)).date()
    whole = wall_to_instant(calendar, day, f"{local:%H:%M:%S}")
    return (whole + timedelta(microseconds=local.microsecond)).astimezone(UTC)


def known(target: Target, duration: Duration, calendars: Calendars, calendar: int | None) -> Calendar | None:
    found = calendars.get(calendar) if calendar is not None else None
    if found is None and duration.by_calendar:
        raise InvalidInput({"calendar": [f"Target “{target.id}” counts business time and needs its calendar."]})
    return found


def after(state: ClockState, target: Target, calendars: Calendars, since: datetime, seconds: float) -> datetime:
    duration = target.durations[state.priority]
    if not duration.by_calendar:
        return since + timedelta(seconds=seconds)
    calendar = known(target, duration, calendars, state.calendar)
    assert calendar is not None
    return add(calendar, since, seconds)


def ends_at_opening(state: ClockState, target: Target, calendars: Calendars) -> bool:
    """Whether its time is over at an opening, as business days may be, and not at the closing before it."""
    duration = target.durations[state.priority]
    if duration.unit != "business_days":
        return False
    calendar = known(target, duration, calendars, state.calendar)
    assert calendar is not None
    end = add_days(calendar, state.started_at, duration.n)
    return between(calendar, end - timedelta(microseconds=1), end) == 0


def opening(state: ClockState, calendars: Calendars, at: datetime) -> datetime:
    """The instant, or the next opening of the clock's calendar if it is closed then."""
    assert state.calendar is not None
    return next_open(calendars[state.calendar], at)


def counted(state: ClockState, target: Target, calendars: Calendars, since: datetime, until: datetime) -> int | float:
    duration = target.durations[state.priority]
    if not duration.by_calendar:
        return max(0.0, (until - since).total_seconds())
    calendar = known(target, duration, calendars, state.calendar)
    assert calendar is not None
    return between(calendar, since, until)


def tidy(seconds: float) -> int | float:
    """Sums of fractions are rounded to the microsecond they were counted in."""
    rounded = round(seconds, 6)
    return int(rounded) if rounded == int(rounded) else rounded
