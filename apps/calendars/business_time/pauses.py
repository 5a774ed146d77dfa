"""Business time around stretches that do not count: a paused stretch is closed, whatever the calendar says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.calendars.business_time import questions as bt
from apps.calendars.business_time.windows import merged, to_instant, to_micros, without

LOOK = timedelta(days=366)
Stretch = tuple[datetime, datetime]


class Paused:
    """A calendar and pauses, in any order; those that overlap are taken together."""

    def __init__(self, calendar: bt.Calendar, pauses: Iterable[Stretch]) -> None:
        self.calendar = calendar
        union = merged((to_micros(low), to_micros(high)) for low, high in pauses)
        self.pauses = [(to_instant(low), to_instant(high)) for low, high in union]

    def add(self, instant: datetime, seconds: float) -> datetime:
        """As `business_time.add`: what was due in a pause, or after it, is due later by the pause's open seconds."""
        due = bt.add(self.calendar, instant, seconds)
        if seconds < 0:
            return self._back(instant, due)
        for low, high in self.pauses:
            if seconds == 0 and low <= due < high:
                due = bt.next_open(self.calendar, high)
            elif seconds and low < due and (lost := bt.between(self.calendar, max(low, instant), high)):
                due = bt.add(self.calendar, due, lost)
        return due

    def _back(self, instant: datetime, due: datetime) -> datetime:
        for low, high in reversed(self.pauses):
            if due < high and (lost := bt.between(self.calendar, low, min(high, instant))):
                due = bt.add(self.calendar, due, -lost)
        return due

    def between(self, start: datetime, end: datetime) -> int | float:
        """The seconds open and not paused; 0 for a reversed pair."""
        lost = (bt.between(self.calendar, max(low, start), min(high, end)) for low, high in self.pauses)
        return bt.between(self.calendar, start, end) - sum(lost)

    def is_open(self, instant: datetime) -> bool:
        paused = any(low <= instant < high for low, high in self.pauses)
        return not paused and bt.is_open(self.calendar, instant)

    def previous_open(self, instant: datetime) -> datetime:
        """The instant itself where it was open just before, else the closing, or the beginning of the pause, before."""
        found = bt.previous_open(self.calendar, instant)
        for low, high in reversed(self.pauses):
            if low < found <= high:
                found = bt.previous_open(self.calendar, low)
        return found

    def next_close(self, instant: datetime) -> datetime | None:
        """When what is open, or opens next, closes or is paused; None if it never does within a year."""
        if not self.pauses:
            return bt.next_close(self.calendar, instant)
        end = max(instant, self.pauses[-1][1]) + LOOK
        return next((high for _, high in self.open_intervals(instant, end) if high < end), None)

    def open_intervals(self, start: datetime, end: datetime) -> tuple[Stretch, ...]:
        found = bt.open_intervals(self.calendar, start, end)
        if not self.pauses:
            return found
        left = without(
            [(to_micros(low), to_micros(high)) for low, high in found],
            [(to_micros(low), to_micros(high)) for low, high in self.pauses],
        )
        return tuple((to_instant(low), to_instant(high)) for low, high in left)
