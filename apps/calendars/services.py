"""Freezing calendars: what staff edit becomes an immutable version with every holiday as an explicit date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import holidays
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.calendars.business_time import Calendar
from apps.calendars.business_time.document import WEEKDAYS
from apps.calendars.hours_text import as_hours, read_windows
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


@transaction.atomic
def publish_calendar(
    key: str, document: object, *, name: str = "", country: str = "", created_by: str = ""
) -> CalendarVersion:
    """Makes the calendar that staff edit say what the document says, made if it is missing, and freezes it.

    The holidays of a `country` (ISO code, "" for none) are added to those of the document. Without a `name` it keeps
    its own, at first its key. Raises InvalidInput by field of the document; then nothing changed.
    """
    Calendar.from_document(document)
    assert isinstance(document, Mapping)
    calendar = BusinessCalendar.objects.select_for_update().filter(key=key).first() or BusinessCalendar(key=key)
    breaks = document.get("breaks", {})
    calendar.name = name or calendar.name or key
    calendar.time_zone, calendar.country, calendar.week = document["time_zone"], country.upper(), document["week"]
    calendar.breaks = {day: windows for day, windows in breaks.items() if day in WEEKDAYS}
    _clean(calendar, "")
    calendar.save()
    named = document.get("holidays", {})
    holidays = [Holiday(calendar=calendar, date=date.fromisoformat(day), name=named[day]) for day in named]
    _replace(list(calendar.holidays.all()), holidays, "holidays", ("date", "name"))
    _replace(
        list(calendar.special_days.all()), list(_special(calendar, document)), "overrides", ("date", "kind", "hours")
    )
    return freeze_calendar(BusinessCalendar.objects.get(pk=calendar.pk), created_by=created_by)


def _special(calendar: BusinessCalendar, document: Mapping[str, Any]) -> Iterator[SpecialDay]:
    kinds = ((SpecialDay.Kind.HOURS, "overrides"), (SpecialDay.Kind.BREAK, "breaks"))
    for kind, part in kinds:
        for day, windows in document.get(part, {}).items():
            if day not in WEEKDAYS:
                hours = as_hours(windows)
                yield SpecialDay(calendar=calendar, date=date.fromisoformat(day), kind=kind, hours=hours)


def _replace(old: Sequence[Any], new: Sequence[Any], part: str, columns: Sequence[str]) -> None:
    """Rows that stay the same stay; the others go and come one by one: the log of changes does not see bulk changes."""

    def said(row: Any) -> tuple[Any, ...]:
        return tuple(getattr(row, column) for column in columns)

    kept = {said(row) for row in old} & {said(row) for row in new}
    for row in old:
        if said(row) not in kept:
            row.delete()
    for row in new:
        if said(row) not in kept:
            _clean(row, f"{part}.{row.date}.")
            row.save(force_insert=True)


def _clean(row: Any, place: str) -> None:
    """Raises InvalidInput for what the columns refuse."""
    try:
        row.clean_fields(exclude=["calendar"])
    except ValidationError as error:
        raise InvalidInput({f"{place}{field}": texts for field, texts in error.message_dict.items()}) from error
