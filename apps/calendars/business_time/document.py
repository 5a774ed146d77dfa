"""Reading a calendar document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

from apps.calendars.business_time.spine import NEVER, Timeline
from apps.calendars.business_time.windows import DAY, SECOND, Dated, Hours, Window, Windows, wall_micros
from apps.core.errors import InvalidInput
from apps.core.zones import is_zone

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_DAY, LAST_DAY = date(1901, 1, 1), date(2480, 1, 1)
MOST_ENTRIES = 2000
FEWEST_DAYS_TO_CLOSE_A_YEAR = 52
CLOCK_TIME = re.compile(r"([0-9]{2}):([0-5][0-9])(?::([0-5][0-9]))?")


def read_hours(document: object, *, strict: bool = True, frozen: bool = False) -> Hours:
    """The hours that a calendar document states; raises `InvalidInput` naming every field that is wrong.

    `strict` refuses what is likely a slip: windows that overlap (else taken together), a break that ends before it
    starts (else it runs into the next day), a calendar that is closed for a year. What is `frozen` already may have
    any zone this machine knows: it was accepted once, and never changes.
    """
    return _Reader(strict=strict, frozen=frozen).hours(document)


def clock_seconds(text: object) -> int | None:
    """Seconds after midnight of "HH:MM" or "HH:MM:SS", up to 48:00; None for anything else."""
    match = CLOCK_TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total <= 2 * DAY else None


class _Reader:
    """Reads a calendar document and collects every problem by its field."""

    def __init__(self, *, strict: bool, frozen: bool) -> None:
        self.strict, self.frozen = strict, frozen
        self.problems: dict[str, list[str]] = {}

    def hours(self, document: object) -> Hours:
        if not isinstance(document, Mapping):
            raise InvalidInput({"calendar": ["A calendar is an object with a time zone and a week."]})
        for key in document.keys() - {"time_zone", "week", "holidays", "overrides", "breaks"}:
            self._problem(_name(key), "Unknown key.")
        zone = self._zone(document.get("time_zone"))
        week = self._week(document.get("week"))
        holidays = self._holidays(document.get("holidays", {}))
        overrides = self._dated("overrides", document.get("overrides", {}))
        breaks, date_breaks = self._breaks(document.get("breaks", {}))
        self._refuse()
        hours = Hours(
            time_zone=zone, week=week, holidays=holidays, overrides=overrides, breaks=breaks, date_breaks=date_breaks
        )
        if self.strict:
            self._opens(hours)
            self._refuse()
        return hours

    def _problem(self, key: str, message: str) -> None:
        self.problems.setdefault(key, []).append(message)

    def _refuse(self) -> None:
        if self.problems:
            raise InvalidInput(self.problems)

    def _mapping(self, key: str, value: object) -> Mapping[object, object]:
        if isinstance(value, Mapping) and len(value) <= MOST_ENTRIES:
            return value
        if isinstance(value, Mapping):
            self._problem(key, f"Has more than {MOST_ENTRIES} entries.")
            return {}
        self._problem(key, "Must be an object." if value is not None else "Is required.")
        return {}

    def _zone(self, value: object) -> str:
        if isinstance(value, str) and (self.frozen or is_zone(value)):
            try:
                return ZoneInfo(value).key
            except (KeyError, ValueError, OSError):
                pass
        self._problem(
            "time_zone", f"“{str(value)[:64]}” is no time zone; give an IANA name such as “Europe/Amsterdam”."
        )
        return "UTC"

    def _week(self, value: object) -> tuple[Windows, ...]:
        days = self._mapping("week", value)
        for key in days.keys() - set(WEEKDAYS):
            self._problem(f"week.{_name(key)}", "Unknown day; the days are mon, tue, wed, thu, fri, sat, sun.")
        week = tuple(self._windows(f"week.{day}", days.get(day, [])) for day in WEEKDAYS)
        for day, (today, tomorrow) in zip(WEEKDAYS, pairwise((*week, week[0])), strict=True):
            late = today and tomorrow and max(window.end for window in today) - DAY > min(w.start for w in tomorrow)
            if self.strict and late:
                self._problem(f"week.{day}", "Runs into the first window of the next day: they overlap.")
        return week

    def _windows(self, key: str, value: object, *, breaks: bool = False) -> Windows:
        if not isinstance(value, list | tuple) or len(value) > MOST_ENTRIES:
            self._problem(key, "Must be a list of windows such as “09:00-17:00”.")
            return ()
        windows = sorted(window for text in value if (window := self._window(key, text, breaks=breaks)))
        if self.strict and any(window.end > following.start for window, following in pairwise(windows)):
            self._problem(key, "These windows overlap.")
        return tuple(windows)

    def _window(self, key: str, text: object, *, breaks: bool) -> Window | None:
        """A window; one that ends before it starts runs into the next day. An end at 00:00 is the midnight after.

        Strictly a break that ends before it starts is inverted, and only breaks begin after midnight ("24:30-25:00").
        """
        parts = text.split("-") if isinstance(text, str) else []
        start, end = (clock_seconds(part) for part in parts) if len(parts) == 2 else (None, None)
        if start is None or end is None:
            self._problem(key, f"“{str(text)[:40]}” is no window such as “09:00-17:00”.")
            return None
        if start < DAY and (end == 0 or (end < start and not (breaks and self.strict))):
            end += DAY
        if not start < end <= start + DAY or (start >= DAY and self.strict and not breaks):
            self._problem(key, f"“{text}” ends before it starts, or is longer than a day.")
            return None
        return Window(start=start, end=end)

    def _date(self, key: str, value: object) -> date | None:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self._problem(f"{key}.{_name(value)}", "No date such as “2026-12-25”.")
        return None

    def _holidays(self, value: object) -> tuple[tuple[date, str], ...]:
        found = []
        for key, name in self._mapping("holidays", value).items():
            day = self._date("holidays", key)
            if not isinstance(name, str):
                self._problem(f"holidays.{_name(key)}", "The name must be text.")
            elif day:
                found.append((day, name))
        return tuple(sorted(found))

    def _dated(self, field_name: str, value: object, *, breaks: bool = False) -> Dated:
        found = []
        for key, windows in self._mapping(field_name, value).items():
            day = self._date(field_name, key)
            if day:
                found.append((day, self._windows(f"{field_name}.{_name(key)}", windows, breaks=breaks)))
        return tuple(sorted(found))

    def _breaks(self, value: object) -> tuple[tuple[Windows, ...], Dated]:
        given = self._mapping("breaks", value)
        weekly = tuple(self._windows(f"breaks.{day}", given.get(day, []), breaks=True) for day in WEEKDAYS)
        dated = {key: windows for key, windows in given.items() if key not in WEEKDAYS}
        return weekly, self._dated("breaks", dated, breaks=True)

    def _opens(self, hours: Hours) -> None:
        """Refuse a calendar that is closed for a year: one without a week, or with holidays all year round."""
        line = Timeline(hours)
        if not line.regular.total:
            self._problem("week", NEVER)
            return
        days = sorted({day for day, _ in (*hours.holidays, *hours.overrides, *hours.date_breaks)})
        if len(days) < FEWEST_DAYS_TO_CLOSE_A_YEAR:
            return
        for day in days:
            if FIRST_DAY <= day <= LAST_DAY:
                midnight = wall_micros(line.zone, day.toordinal(), 0)
                spine, position = line.reaching(midnight, 0, closing=False)
                if spine.last_at(position) - midnight > 366 * DAY * SECOND:
                    self._problem("holidays", f"The calendar does not open for a year from {day}.")
                    return


def _name(key: object) -> str:
    return str(key)[:40]
