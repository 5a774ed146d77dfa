"""A calendar and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from apps.calendars.business_time.document import clock_seconds, read_hours
from apps.calendars.business_time.spine import Timeline
from apps.calendars.business_time.windows import (
    DAY,
    MICROSECOND,
    SECOND,
    Hours,
    to_amount,
    to_instant,
    to_micros,
    to_seconds,
    wall_micros,
)
from apps.core.errors import InvalidInput

_LOOKS = (8 * DAY * SECOND, 366 * DAY * SECOND)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of time and why it counts or not: `open`, `closed` or `holiday`, then with the holidays' names."""

    start: datetime
    end: datetime
    why: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """One version of a calendar: its hours, and the spine they are counted on."""

    hours: Hours
    line: Timeline = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "line", Timeline(self.hours))

    @classmethod
    def from_document(cls, document: object, *, strict: bool = True, frozen: bool = False) -> Calendar:
        """Read `{"time_zone", "week", "holidays", "overrides", "breaks"}`; only the first two are required.

        `week` maps mon..sun to windows ("09:00-17:00"), `holidays` dates to names, `overrides` dates to windows (none:
        closed), `breaks` weekdays or dates to windows. Raises `InvalidInput` naming every field that is wrong; `strict`
        and `frozen` as in `read_hours`.
        """
        return cls(hours=read_hours(document, strict=strict, frozen=frozen))


def add(calendar: Calendar, instant: datetime, seconds: float) -> datetime:
    """The instant at which `seconds` open seconds have passed since `instant` (negative: counted backwards)."""
    at, amount = to_micros(instant), to_amount(seconds)
    spine, position = calendar.line.reaching(at, amount, closing=amount > 0)
    return to_instant(spine.first_at(position) if amount > 0 else spine.last_at(position))


def between(calendar: Calendar, start: datetime, end: datetime) -> int | float:
    """The seconds open from `start` to `end`; 0 for a reversed pair; an int unless there are fractions."""
    low, high = to_micros(start), to_micros(end)
    if high <= low:
        return 0
    spine = calendar.line.holding(low, high)
    return to_seconds(spine.position(high) - spine.position(low))


def is_open(calendar: Calendar, instant: datetime) -> bool:
    """Whether `instant` lies in a window; the opening instant does, the closing one does not."""
    at = to_micros(instant)
    return calendar.line.covering(at).is_open(at)


def open_intervals(calendar: Calendar, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """The open stretches between two instants, clipped to them, windows that touch taken together."""
    spans = calendar.line.spans(to_micros(start), to_micros(end))
    return tuple((to_instant(low), to_instant(high)) for low, high in spans)


def explain(calendar: Calendar, start: datetime, end: datetime) -> tuple[Span, ...]:
    """All the time between two instants without gaps, each stretch with why it counts or not."""
    low, high = to_micros(start), to_micros(end)
    found: list[Span] = []
    for opening, closing in [*calendar.line.spans(low, high), (high, high)]:
        found += [_span(*gap) for gap in calendar.line.closed_spans(low, opening)]
        if opening < closing:
            found.append(_span(opening, closing, "open"))
        low = closing
    return tuple(found)


def next_open(calendar: Calendar, instant: datetime) -> datetime:
    """The first open instant from `instant` on: itself while open, else the next opening."""
    return add(calendar, instant, 0)


def previous_open(calendar: Calendar, instant: datetime) -> datetime:
    """The mirror of `next_open`, counting back no time: the instant itself, or the closing before a closed stretch.

    What counts is the time just before the instant: a closing is its own answer, an opening is not.
    """
    spine, position = calendar.line.reaching(to_micros(instant), 0, closing=True)
    return to_instant(spine.first_at(position))


def next_close(calendar: Calendar, instant: datetime) -> datetime | None:
    """When the present window, or else the next one, closes; None if it never does within a year."""
    at = to_micros(instant)
    for reach in _LOOKS:
        for _, closing in calendar.line.spans(at, at + reach):
            if closing < at + reach:
                return to_instant(closing)
    return None


def previous_close(calendar: Calendar, instant: datetime) -> datetime | None:
    """The last closing at or before `instant`; None if there was none within a year."""
    at = to_micros(instant)
    for reach in _LOOKS:
        closings = [closing for _, closing in calendar.line.spans(at - reach, at + 1) if closing <= at]
        if closings:
            return to_instant(closings[-1])
    return None


def previous_opening(calendar: Calendar, instant: datetime) -> datetime | None:
    """When the present window, or else the one before it, opened; None if it was open for a year."""
    at = to_micros(instant)
    for reach in _LOOKS:
        openings = [opening for opening, _ in calendar.line.spans(at - reach, at + 1) if opening > at - reach]
        if openings:
            return to_instant(openings[-1])
    return None


def add_days(calendar: Calendar, instant: datetime, n: int) -> datetime:
    """The same wall time n business days on (negative: back), moved to the next open instant where it is closed.

    A business day is a date, no holiday, on which a window opens. The date of `instant` itself is not counted.
    """
    if n == 0:
        return next_open(calendar, instant)
    line = calendar.line
    line.covering(to_micros(instant))
    local = instant.astimezone(line.zone)
    clock = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    day = line.business_day(local.toordinal(), n)
    return next_open(calendar, to_instant(wall_micros(line.zone, day, clock // MICROSECOND)))


def wall_to_instant(calendar: Calendar, day: date, wall: str) -> datetime:
    """The instant of a wall time "HH:MM" or "HH:MM:SS" of a date; "24:00" and later lie in the next day.

    Raises `InvalidInput` for another text, and at the ends of the years 1 to 9999.
    """
    second = clock_seconds(wall)
    if second is None:
        raise InvalidInput({"wall": [f"“{str(wall)[:40]}” is no time of day such as “09:30”."]})
    try:
        return to_instant(wall_micros(calendar.line.zone, day.toordinal(), second * SECOND))
    except (OverflowError, ValueError):
        raise InvalidInput({"wall": ["This leads out of the years 1 to 9999."]}) from None


def _span(low: int, high: int, why: str, names: tuple[str, ...] = ()) -> Span:
    return Span(start=to_instant(low), end=to_instant(high), why=why, names=names)
