"""The weeks of a calendar laid end to end with running sums, so that every question is a few binary searches.

A week without exception or clock change shares one pattern; the others are worked out window by window.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.calendars.business_time.windows import (
    DAY,
    SECOND,
    WHOLE_DAY,
    Hours,
    Pair,
    Window,
    merged,
    resolved,
    to_instant,
    wall_micros,
    without,
)
from apps.core.errors import InvalidInput

FIRST_WEEK, LAST_WEEK = (date(1900, 1, 1).toordinal() - 1) // 7, (date(2500, 1, 1).toordinal() - 1) // 7
OUT_OF_RANGE = "This leads out of the years 1900 to 2500."
NEVER = "The calendar never opens."
NOT_ENOUGH = "The week never opens, and the hours of single dates do not suffice."


class Pattern(NamedTuple):
    """The open stretches of a week, in microseconds since its Monday midnight."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    sums: tuple[int, ...]  # open before each stretch
    total: int
    days: tuple[int, ...]  # weekdays that are business days

    @classmethod
    def of(cls, pairs: list[Pair], days: tuple[int, ...]) -> Pattern:
        sums = tuple(accumulate((high - low for low, high in pairs), initial=0))
        return cls(tuple(low for low, _ in pairs), tuple(high for _, high in pairs), sums[:-1], sums[-1], days)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spine:
    """Consecutive weeks. `bases`, `opened` and `days` are running values with one entry more than there are weeks."""

    first: int
    weeks: list[Pattern]
    bases: list[int]
    opened: list[int]
    days: list[int]

    def position(self, at: int) -> int:
        """Open microseconds from the beginning of the spine until `at`."""
        i = bisect_right(self.bases, at) - 1
        week, offset = self.weeks[i], at - self.bases[i]
        k = bisect_right(week.starts, offset) - 1
        if k < 0:
            return self.opened[i]
        return self.opened[i] + week.sums[k] + min(offset, week.ends[k]) - week.starts[k]

    def first_at(self, position: int) -> int:
        """The first instant with this position (> 0): at the end of a window its closing."""
        i = bisect_left(self.opened, position) - 1
        week, rest = self.weeks[i], position - self.opened[i]
        k = bisect_left(week.sums, rest) - 1
        return self.bases[i] + week.starts[k] + rest - week.sums[k]

    def last_at(self, position: int) -> int:
        """The last instant with this position (< the whole): at the end of a window the next opening."""
        i = bisect_right(self.opened, position) - 1
        week, rest = self.weeks[i], position - self.opened[i]
        k = bisect_right(week.sums, rest) - 1
        return self.bases[i] + week.starts[k] + rest - week.sums[k]

    def is_open(self, at: int) -> bool:
        i = bisect_right(self.bases, at) - 1
        week, offset = self.weeks[i], at - self.bases[i]
        k = bisect_right(week.starts, offset) - 1
        return k >= 0 and offset < week.ends[k]


class Timeline:
    """The spine of a calendar, grown on demand. A growth publishes a new spine, so readers need no lock."""

    def __init__(self, hours: Hours) -> None:
        self.zone = ZoneInfo(hours.time_zone)
        self.week, self.breaks = hours.week, hours.breaks
        self.closed = {day.toordinal(): name for day, name in hours.holidays}
        self.overrides = {day.toordinal(): windows for day, windows in hours.overrides}
        self.date_breaks = {day.toordinal(): windows for day, windows in hours.date_breaks}
        exceptions = self.closed.keys() | self.overrides.keys() | self.date_breaks.keys()
        self.special = {(day - late) // 7 for day in exceptions for late in (0, 1)}  # a night may reach the next week
        plain = next(n for n in range(FIRST_WEEK, LAST_WEEK) if n not in self.special)
        self.regular = self._pattern(UTC, plain)
        self.spine: Spine | None = None

    # -- reading

    def covering(self, at: int) -> Spine:
        """The spine, grown until it holds `at`."""
        spine = self.spine or self._started(at)
        while not spine.bases[0] <= at < spine.bases[-1]:
            spine = self._grown(spine, backwards=at < spine.bases[0])
        return spine

    def holding(self, low: int, high: int) -> Spine:
        """The spine, grown until it holds both instants."""
        self.covering(low)
        spine = self.covering(high)
        return spine if spine.bases[0] <= low else self.covering(low)

    def reaching(self, at: int, amount: int, *, closing: bool) -> tuple[Spine, int]:
        """The spine, grown until the position `amount` on from `at` lies inside it, and that position.

        At the end of a window its closing is asked for (`closing`, by `first_at`), else the next opening (`last_at`).
        """
        spine = self.covering(at)
        least = 1 if closing else 0
        position = spine.position(at) + amount
        while not least <= position < spine.opened[-1] + least:
            spine = self._grown(spine, backwards=position < least)
            position = spine.position(at) + amount
        return spine, position

    def spans(self, low: int, high: int) -> Iterator[Pair]:
        """Open stretches from `low` to `high`, clipped, those that touch joined also over midnight on Monday."""
        if high <= low:
            return
        spine = self.holding(low, high)
        first, last = bisect_right(spine.bases, low) - 1, bisect_right(spine.bases, high) - 1
        held: Pair | None = None
        for i in range(first, last + 1):
            for start, end in zip(spine.weeks[i].starts, spine.weeks[i].ends, strict=True):
                pair = max(low, spine.bases[i] + start), min(high, spine.bases[i] + end)
                if pair[0] >= pair[1]:
                    continue
                if held and held[1] < pair[0]:
                    yield held
                    held = None
                held = (held[0], pair[1]) if held else pair
        if held:
            yield held

    def closed_spans(self, low: int, high: int) -> Iterator[tuple[int, int, str, tuple[str, ...]]]:
        """A closed stretch, cut at the midnights where a holiday begins or ends; with the names of its holidays."""
        if high <= low:
            return
        days = range(to_instant(low).toordinal() - 1, to_instant(high).toordinal() + 2)
        dates = [(*resolved(self.zone, day, WHOLE_DAY), self.closed[day]) for day in days if day in self.closed]
        inside = merged((max(low, start), min(high, end)) for start, end, _ in dates)
        pieces: list[tuple[int, int, str, tuple[str, ...]]]
        pieces = [(*pair, "closed", ()) for pair in without([(low, high)], inside)]
        for start, end in inside:
            names = (name for first, last, name in dates if first < end and last > start)
            pieces.append((start, end, "holiday", tuple(dict.fromkeys(names))))
        yield from sorted(pieces)

    def business_day(self, day: int, n: int) -> int:
        """The n-th business day after the date with this ordinal (n < 0: before it), as an ordinal."""
        spine = self.covering(wall_micros(self.zone, day, 0))
        number, weekday = divmod(day - 1, 7)
        while True:
            i = number - spine.first
            week = spine.weeks[i]
            passed = bisect_right(week.days, weekday) - 1 if n > 0 else bisect_left(week.days, weekday)
            index = spine.days[i] + passed + n
            if 0 <= index < spine.days[-1]:
                break
            spine = self._grown(spine, backwards=index < 0)
        found = bisect_right(spine.days, index) - 1
        return (spine.first + found) * 7 + 1 + spine.weeks[found].days[index - spine.days[found]]

    # -- building

    def _started(self, at: int) -> Spine:
        if not wall_micros(UTC, FIRST_WEEK * 7 + 8, 0) <= at < wall_micros(UTC, LAST_WEEK * 7 - 6, 0):
            raise InvalidInput({"instant": [OUT_OF_RANGE]})
        number = (to_instant(at).toordinal() - 1) // 7
        return self._published(max(FIRST_WEEK, number - 9), min(LAST_WEEK, number + 53))

    def _grown(self, spine: Spine, *, backwards: bool) -> Spine:
        """A spine twice as long, at least by a year."""
        first, end = spine.first, spine.first + len(spine.weeks)
        count = max(53, end - first)
        if first == FIRST_WEEK if backwards else end == LAST_WEEK:
            raise InvalidInput({"instant": [OUT_OF_RANGE]} if self.regular.total else {"week": [self._never()]})
        if backwards:
            return self._published(max(FIRST_WEEK, first - count), end, spine)
        return self._published(first, min(LAST_WEEK, end + count), spine)

    def _never(self) -> str:
        return NOT_ENOUGH if any(self.overrides.values()) else NEVER

    def _published(self, first: int, end: int, known: Spine | None = None) -> Spine:
        low, high = (known.first, known.first + len(known.weeks)) if known else (first, first)
        weeks = [
            *(self._week(number) for number in range(first, low)),
            *(known.weeks if known else ()),
            *(self._week(number) for number in range(high, end)),
        ]
        self.spine = Spine(
            first=first,
            weeks=weeks,
            bases=[wall_micros(self.zone, number * 7 + 1, 0) for number in range(first, end + 1)],
            opened=list(accumulate((week.total for week in weeks), initial=0)),
            days=list(accumulate((len(week.days) for week in weeks), initial=0)),
        )
        return self.spine

    def _week(self, number: int) -> Pattern:
        if number in self.special or self._clock_changes(number * 7 + 1):
            return self._pattern(self.zone, number)
        return self.regular

    def _clock_changes(self, monday: int) -> bool:
        """Whether the offset changes in the week; no zone changes twice within a day."""
        midnights = (datetime.fromordinal(day).replace(tzinfo=self.zone) for day in range(monday, monday + 8))
        return len({midnight.utcoffset() for midnight in midnights}) > 1

    def _pattern(self, zone: tzinfo, number: int) -> Pattern:
        monday = number * 7 + 1
        low, high = wall_micros(zone, monday, 0), wall_micros(zone, monday + 7, 0)
        reach = [day for day in range(monday - 1, monday + 7) if _is_there(zone, day)]
        cuts = [resolved(zone, day, window) for day in reach for window in self._breaks_on(day)]
        cuts += [resolved(zone, day, WHOLE_DAY) for day in reach if day in self.closed]
        cuts += [(low - 9 * DAY * SECOND, low), (high, high + 9 * DAY * SECOND)]
        opened = without((resolved(zone, day, window) for day in reach for window in self._windows_on(day)), cuts)
        days = tuple(day - monday for day in reach if day >= monday and self._is_business_day(day))
        return Pattern.of([(start - low, end - low) for start, end in opened], days)

    def _windows_on(self, day: int) -> tuple[Window, ...]:
        return self.overrides.get(day, self.week[(day - 1) % 7])

    def _breaks_on(self, day: int) -> tuple[Window, ...]:
        return self.breaks[(day - 1) % 7] + self.date_breaks.get(day, ())

    def _is_business_day(self, day: int) -> bool:
        windows = [(window.start, window.end) for window in self._windows_on(day)]
        breaks = [(window.start, window.end) for window in self._breaks_on(day)]
        return day not in self.closed and bool(without(windows, breaks))


def _is_there(zone: tzinfo, day: int) -> bool:
    """Whether the zone has the date: who crossed the date line skipped one (Apia, 30 December 2011)."""
    return wall_micros(zone, day, 0) < wall_micros(zone, day + 1, 0)
