"""Freezing calendars: what staff edit becomes an immutable version with every holiday as an explicit date."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
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
from apps.core.text import in_brackets

YEARS_BACK, YEARS_AHEAD = 10, 10
FIRST_YEAR = 1950  # before it no country's list is asked


def country_holidays(country: str, *, years: Sequence[int]) -> dict[str, str]:
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


def overruled_days(document: Mapping[str, Any]) -> dict[str, str]:
    """The dates whose own hours do not count since they are holidays, which close them: {ISO date: holiday's name}."""
    holidays = document.get("holidays", {})
    return {day: holidays[day] for day, windows in document.get("overrides", {}).items() if windows and day in holidays}


def calendar_warnings(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """What whoever saves such a document should know, by place; nothing that forbids it."""
    said = "{} is a holiday{}, which closes the date: its own hours do not count."
    found = overruled_days(document).items()
    return {f"overrides.{day}": [said.format(day, in_brackets([name]))] for day, name in found}


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
    key: str, document: object, *, name: str = "", country: str | None = None, created_by: str = ""
) -> CalendarVersion:
    """Makes the calendar that staff edit say what the document says, made if it is missing, and freezes it.

    The holidays of a `country` (ISO code, "" for none) are added to those of the document, from the first year it names
    one of them; only the others become the calendar's own. Without a country or a name it keeps those it has, at first
    none and its key. Where that is the newest version with its country and name, nothing changes, nor do edits that are
    not frozen yet. Raises
    InvalidInput by field of the document; then nothing changed.
    """
    calendar = BusinessCalendar.objects.select_for_update().filter(key=key).first() or BusinessCalendar(key=key)
    named = name or calendar.name
    of = calendar.country if country is None else country.upper()
    newest: CalendarVersion | None = CalendarVersion.objects.current(key)
    if newest and (newest.document, calendar.country, calendar.name) == (document, of, named):
        return newest
    Calendar.from_document(document)
    assert isinstance(document, Mapping)
    calendar.name, calendar.country = named or key, of
    calendar.time_zone, calendar.week = document["time_zone"], document["week"]
    calendar.breaks = {day: windows for day, windows in document.get("breaks", {}).items() if day in WEEKDAYS}
    _clean(calendar, "")
    calendar.save()
    own, from_year = _own_holidays(calendar, document.get("holidays", {}))
    holidays = [Holiday(calendar=calendar, date=day, name=said) for day, said in own.items()]
    _replace(list(calendar.holidays.all()), holidays, "holidays", _said_of_holiday)
    special = list(_special(calendar, document))
    _replace(list(calendar.special_days.all()), special, "overrides", _said_of_day)
    return freeze_calendar(BusinessCalendar.objects.get(pk=calendar.pk), created_by=created_by, from_year=from_year)


def _own_holidays(calendar: BusinessCalendar, named: Mapping[str, str]) -> tuple[dict[date, str], int]:
    """The named days that the country's list does not give, and from which year on its list is wanted."""
    today = clock.now().date()
    days = {date.fromisoformat(day): name for day, name in named.items()}
    years = sorted({day.year for day in days if FIRST_YEAR <= day.year <= today.year + YEARS_AHEAD})
    listed = country_holidays(calendar.country, years=years) if calendar.country else {}
    given = {day for day, name in days.items() if listed.get(day.isoformat()) == name}
    own = {day: name for day, name in days.items() if day not in given}
    return own, min((today.year - YEARS_BACK, *(day.year for day in given)))


def _special(calendar: BusinessCalendar, document: Mapping[str, Any]) -> Iterator[SpecialDay]:
    kinds = ((SpecialDay.Kind.HOURS, "overrides"), (SpecialDay.Kind.BREAK, "breaks"))
    for kind, part in kinds:
        for day, windows in document.get(part, {}).items():
            if day not in WEEKDAYS:
                hours = as_hours(windows)
                yield SpecialDay(calendar=calendar, date=date.fromisoformat(day), kind=kind, hours=hours)


def _said_of_holiday(day: Holiday) -> Hashable:
    return day.date, day.name


def _said_of_day(day: SpecialDay) -> Hashable:
    return day.date, day.kind, tuple(read_windows(day.hours))


def _replace(old: Sequence[Any], new: Sequence[Any], part: str, said: Callable[[Any], Hashable]) -> None:
    """Rows that stay the same stay; the others go and come one by one: the log of changes does not see bulk changes."""
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
