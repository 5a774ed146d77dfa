"""Freezing calendars: what staff edit becomes an immutable version with every holiday as an explicit date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import holidays
from django.db import transaction

from apps.calendars.business_time import Calendar
from apps.calendars.hours_text import read_windows
from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday, SpecialDay
from apps.core import clock
from apps.core.errors import InvalidInput

YEARS_BACK, YEARS_AHEAD = 10, 10


def country_holidays(country: str, *, years: range) -> dict[str, str]:
    """The public holidays of a country (ISO code) as {ISO date: name}. Raises InvalidInput for an unknown country."""
    try:
        found = holidays.country_holidays(country, years=years)
    except NotImplementedError as error:
        raise InvalidInput({"country": [f"No holidays are known for {country!r}."]}) from error
    return {day.isoformat(): name for day, name in sorted(found.items())}


def document_of(calendar: BusinessCalendar, *, today: date, from_year: int | None = None) -> dict[str, Any]:
    """The calendar's document: a country's holidays from ten years back (or that year) to ten ahead, and its dates.

    What it has none of (hours of single dates, breaks) is not named.
    """
    years = range(from_year or today.year - YEARS_BACK, today.year + YEARS_AHEAD + 1)
    days = country_holidays(calendar.country, years=years) if calendar.country else {}
    days |= {holiday.date.isoformat(): holiday.name for holiday in calendar.holidays.all()}
    special = [(day.date.isoformat(), day.kind, read_windows(day.hours)) for day in calendar.special_days.all()]
    overrides = {day: windows for day, kind, windows in special if kind == SpecialDay.Kind.HOURS}
    breaks = calendar.breaks | {day: windows for day, kind, windows in special if kind == SpecialDay.Kind.BREAK}
    document = {"time_zone": calendar.time_zone, "week": calendar.week, "holidays": dict(sorted(days.items()))}
    return document | ({"overrides": overrides} if overrides else {}) | ({"breaks": breaks} if breaks else {})


def years_kept(today: date) -> range:
    """The years whose holidays a calendar frozen today holds."""
    return range(today.year - YEARS_BACK, today.year + YEARS_AHEAD + 1)


@transaction.atomic
def add_holidays(calendar: BusinessCalendar, days: Mapping[date, str]) -> int:
    """Adds the days that are no holidays of the calendar's own yet; returns how many there were. Nothing is renamed."""
    BusinessCalendar.objects.select_for_update().get(pk=calendar.pk)
    known = set(calendar.holidays.values_list("date", flat=True))
    new = [Holiday(calendar=calendar, date=day, name=name) for day, name in days.items() if day not in known]
    for holiday in new:
        holiday.save()  # one by one: the log of changes does not see bulk inserts
    return len(new)


@transaction.atomic
def freeze_calendar(
    calendar: BusinessCalendar, *, created_by: str = "", from_year: int | None = None
) -> CalendarVersion:
    """The next version of the calendar, or the newest one if nothing changed. Raises InvalidInput naming the field."""
    document = document_of(calendar, today=clock.now().date(), from_year=from_year)
    Calendar.from_document(document)
    return CalendarVersion.freeze(calendar.key, document, created_by=created_by)
