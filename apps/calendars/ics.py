"""All-day events of a calendar file (ICS, RFC 5545) as holidays. It is from outside: nothing in it is believed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

import icalendar
import recurring_ical_events

from apps.core.errors import InvalidInput

MOST_BYTES = 1_000_000
MOST_EVENTS = 2_000
MOST_DAYS = 2_000
MOST_SECONDS = 5
MOST_STEPS = 1_000
LONGEST_NAME = 120
EARLIEST = date(1901, 1, 1)
TOO_OFTEN = {"SECONDLY", "MINUTELY", "HOURLY"}
READ = {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SUMMARY"}
NAMELESS = "Holiday"
FOLD = re.compile(rb"\r?\n[ \t]")


@dataclass(frozen=True, kw_only=True)
class Found:
    """The days of a file and their names, and what was left out, in sentences."""

    days: dict[date, str]
    left_out: tuple[str, ...]


def read_holidays(data: bytes, *, years: range) -> Found:
    """The days that all-day events cover within `years`, repeated events laid out; the first name of a day counts.

    Left out, and counted: events with a time of day, cancelled ones, days twice. Raises InvalidInput naming `file` for
    what is too large, no UTF-8, no calendar, without events, broken, or has an event
    that ends before it begins or within a day, or is repeated more often than daily.
    """
    events = _events(data)
    whole = [event for event in events if _is_all_day(event)]
    counted = Counter({"with a time of day": len(events) - len(whole)})
    for event in whole:
        _keep_days(event)
        _check_end(event)
        _check_repetition(event)
    days: dict[date, str] = {}
    for day, name, cancelled in _days(whole, years):
        if cancelled:
            counted["cancelled"] += 1
        elif day in days:
            counted["on a day that has one already"] += 1
        else:
            days[day] = name
        if len(days) > MOST_DAYS:
            raise _refused(f"This file names more than {MOST_DAYS:,} days within the years kept.")
    left_out = tuple(f"{count} {why}" for why, count in counted.items() if count)
    if not days:
        reason = f" ({', '.join(left_out)})" if left_out else ""
        raise _refused(f"No all-day event lies in the years {years[0]} to {years[-1]}{reason}.")
    return Found(days=dict(sorted(days.items())), left_out=left_out)


def _refused(message: str) -> InvalidInput:
    return InvalidInput({"file": [message]})


def _events(data: bytes) -> list[Any]:
    if len(data) > MOST_BYTES:
        raise _refused(f"This file is too large: at most {MOST_BYTES:,} bytes are read.")
    text = _text(data)
    if "BEGIN:VCALENDAR" not in text.upper():
        raise _refused("This is no calendar file: it has no BEGIN:VCALENDAR.")
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(f"This calendar file is broken: {str(error)[:200]}") from error
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    if not events:
        raise _refused("This calendar file has no events (VEVENT).")
    if len(events) > MOST_EVENTS:
        raise _refused(f"This calendar file has more than {MOST_EVENTS:,} events.")
    return events


def _text(data: bytes) -> str:
    """The file's text; a line may be folded in the middle of a letter (RFC 5545, 3.1), or end as on old Macs."""
    lines = data if b"\n" in data else data.replace(b"\r", b"\n")
    try:
        return lines.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        with suppress(UnicodeDecodeError):
            return FOLD.sub(b"", lines).decode("utf-8-sig")
        raise _refused(f"This is not UTF-8 (byte {error.start + 1:,}).") from error


def _is_all_day(event: Any) -> bool:
    for key, problem in event.errors:
        if key in READ:
            raise _refused(f"The event {_name(event)!r} has a broken {key}: {str(problem)[:200]}")
    start = getattr(event.get("DTSTART"), "dt", None)
    if not isinstance(start, date):
        raise _refused(f"The event {_name(event)!r} has no day on which it begins.")
    if isinstance(start, datetime) and not _says_date(event["DTSTART"]):
        return False
    if start.year < EARLIEST.year:
        raise _refused(f"The event {_name(event)!r} begins in {start.year}; the earliest year is {EARLIEST.year}.")
    return True


def _says_date(value: Any) -> bool:
    return str(value.params.get("VALUE", "")).upper() == "DATE"


def _keep_days(event: Any) -> None:
    """A day that is written with a zone beside it becomes the day."""
    for key in ("DTSTART", "DTEND"):
        moment = getattr(event.get(key), "dt", None)
        if isinstance(moment, datetime) and _says_date(event[key]):
            event[key] = icalendar.vDDDTypes(moment.date())


def _check_end(event: Any) -> None:
    start = event["DTSTART"].dt
    end, length = (getattr(event.get(key), "dt", None) for key in ("DTEND", "DURATION"))
    if end is not None and type(end) is not date:
        raise _refused(f"The event {_name(event)!r} begins on a day, but its DTEND is none.")
    if length is not None and length % timedelta(days=1):
        raise _refused(f"The event {_name(event)!r} has a DURATION that is no number of days.")
    if (end is not None and end < start) or (length is not None and length < timedelta()):
        raise _refused(f"The event {_name(event)!r} ends before it begins.")


def _check_repetition(event: Any) -> None:
    rules = event.get("RRULE") or []
    for rule in _listed(rules):
        if any(not _is_step(one) for one in _listed(rule.get("INTERVAL", 1))):
            raise _refused(f"The event {_name(event)!r} has an INTERVAL that is not from 1 to {MOST_STEPS:,}.")
        often = {str(one).upper() for one in rule.get("FREQ", [])}
        if "DAILY" in often and any(key.startswith("BY") and key != "BYDAY" for key in rule):
            raise _refused(f"The event {_name(event)!r} is repeated daily with conditions; that is not read.")
        if often & TOO_OFTEN or any(key in rule for key in ("BYHOUR", "BYMINUTE", "BYSECOND")):
            raise _refused(f"The event {_name(event)!r} is repeated more often than daily.")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_step(value: Any) -> bool:
    """Whether the next repetition lies ahead: an interval of 0 would be laid out for ever."""
    return isinstance(value, int) and 1 <= value <= MOST_STEPS


def _days(events: list[Any], years: range) -> Iterator[tuple[date, str, bool]]:
    low, high = date(years[0], 1, 1), date(years[-1] + 1, 1, 1)
    try:
        spans = sorted(
            (*_span(one), _name(one), str(one.get("STATUS", "")).upper()) for one in _occurrences(events, low, high)
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise _refused(f"An event of this file cannot be laid out: {str(error)[:200]}") from error
    for first, last, name, status in spans:
        for n in range(max(0, (low - first).days), min((last - first).days, (high - first).days)):
            yield first + timedelta(days=n), name, status == "CANCELLED"


def _occurrences(events: list[Any], low: date, high: date) -> Iterator[Any]:
    """Every event with its own exceptions (the same UID). Bounded: a rule that never applies is tried to 9999."""
    series: dict[str, icalendar.Calendar] = {}
    for number, event in enumerate(events):
        series.setdefault(str(event.get("UID", number)), icalendar.Calendar()).add_component(event)
    began = monotonic()
    for calendar in series.values():
        if monotonic() - began > MOST_SECONDS:
            raise _refused("This file takes too long to lay out: it has too many events that are repeated.")
        yield from recurring_ical_events.of(calendar).between(low, high)


def _span(event: Any) -> tuple[date, date]:
    """The first day, and the one after the last: at least one day."""
    first = event["DTSTART"].dt
    last = event["DTEND"].dt if "DTEND" in event else first + timedelta(days=1)
    return first, max(last, first + timedelta(days=1))


def _name(event: Any) -> str:
    """The event's summary on one line, without control characters."""
    summary = next(iter(_listed(event.get("SUMMARY"))), None)
    text = " ".join(str(summary or "").split())
    return "".join(sign for sign in text if sign.isprintable())[:LONGEST_NAME].strip() or NAMELESS
