"""Two pages of a calendar: what it makes of a year and of a length of time, and holidays from a file."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.calendars.admin.forms import FileForm, TryForm, YearForm, refused_beside
from apps.calendars.business_time import Calendar, Span, add, add_days, explain
from apps.calendars.ics import MOST_BYTES, read_holidays
from apps.calendars.models import BusinessCalendar, CalendarVersion, SpecialDay
from apps.calendars.selectors import calendar_of
from apps.calendars.services import add_holidays, calendar_warnings, document_of, overruled_days, years_kept
from apps.core import clock
from apps.core.admin_parts import table, verdict
from apps.core.errors import InvalidInput
from apps.core.text import in_brackets

EDITED = "edited"
MOST_SPANS = 200
MOST_WARNINGS = 10
SALT = "calendars.import"
SECONDS = {"hours": 3600, "minutes": 60}
PREVIEW_HOLDS = 3600


def look_page(request: HttpRequest, calendar: BusinessCalendar) -> HttpResponse:
    """The holidays and single dates of a year as they would be frozen, and a box to try a deadline. Reads only."""
    now = clock.now()
    year_form = YearForm({"year": request.GET.get("year") or now.year})
    year = year_form.cleaned_data["year"] if year_form.is_valid() else now.year
    asked = {key: request.GET[key] for key in ("start", "length", "unit", "of") if key in request.GET}
    initial = {"start": _now_there(calendar), "length": "8", "unit": "hours", "of": EDITED}
    holidays, single_dates = _tables_of(calendar, year)
    form = TryForm(asked or None, initial=initial, versions=_choices(calendar))
    return TemplateResponse(
        request,
        "admin/calendars/look.html",
        _context(request, calendar, "A year, and a deadline to try")
        | {
            "year_form": year_form,
            "year": year,
            "holidays": holidays,
            "single_dates": single_dates,
            "try_form": form,
            "answer": _tried(form, calendar) if asked else None,
        },
    )


def import_page(request: HttpRequest, calendar: BusinessCalendar) -> HttpResponse:
    """A file is read and shown; the days shown are added when somebody says so, from a signed copy of the preview."""
    context = _context(request, calendar, "Holidays from a calendar file")
    if "preview" in request.POST:
        return _added(request, calendar)
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            found = read_holidays(form.cleaned_data["file"].read(MOST_BYTES + 1), years=years_kept(clock.now().date()))
        except InvalidInput as refused:
            refused_beside(form, refused.errors)
        else:
            known = set(calendar.holidays.values_list("date", flat=True))
            rows = [
                (day, f"{day:%A}", name, "already there" if day in known else "new") for day, name in found.days.items()
            ]
            signed = signing.dumps(
                [calendar.pk, {str(day): name for day, name in found.days.items()}], salt=SALT, compress=True
            )
            context |= {
                "signed": signed,
                "found": table(("Date", "Day", "Name", "State"), rows, empty=""),
                "new": sum(day not in known for day in found.days),
                "left_out": found.left_out,
            }
    return TemplateResponse(request, "admin/calendars/import.html", context | {"form": form})


def _added(request: HttpRequest, calendar: BusinessCalendar) -> HttpResponse:
    try:
        of, days = signing.loads(request.POST["preview"], salt=SALT, max_age=PREVIEW_HOLDS)
    except signing.BadSignature:
        of, days = None, {}
    if of != calendar.pk:
        messages.error(request, "This preview is too old or was changed; read the file again.")
        return HttpResponseRedirect(request.path)
    with transaction.atomic():
        count = add_holidays(calendar, {date.fromisoformat(day): name for day, name in days.items()})
    warn_of_overruled_days(request, calendar)
    there = len(days) - count
    messages.success(request, f"Holidays added: {count}; there already: {there}. Freeze a version to use them.")
    return HttpResponseRedirect(_change_page(calendar))


def _context(request: HttpRequest, calendar: BusinessCalendar, title: str) -> dict[str, Any]:
    return admin.site.each_context(request) | {
        "title": f"{calendar}: {title}",
        "calendar": calendar,
        "back": _change_page(calendar),
        "opts": BusinessCalendar._meta,
    }


def _change_page(calendar: BusinessCalendar) -> str:
    return reverse("admin:calendars_businesscalendar_change", args=[calendar.pk])


def _zone(calendar: BusinessCalendar) -> ZoneInfo:
    try:
        return ZoneInfo(calendar.time_zone)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _now_there(calendar: BusinessCalendar) -> str:
    return clock.now().astimezone(_zone(calendar)).isoformat(timespec="minutes")


def _choices(calendar: BusinessCalendar) -> list[tuple[str, str]]:
    versions = CalendarVersion.objects.filter(key=calendar.key).order_by("-n")[:20]
    return [(EDITED, "as it is edited"), *((str(version.n), f"frozen as {version}") for version in versions)]


def warn_of_overruled_days(request: HttpRequest, calendar: BusinessCalendar) -> None:
    """Hours of a date that is a holiday too are kept, but without effect: whoever saves them is told."""
    try:
        warned = calendar_warnings(document_of(calendar, today=clock.now().date()))
    except InvalidInput:  # what cannot be read is refused where it is entered, or frozen
        return
    lines = [said for texts in warned.values() for said in texts]
    for line in lines[:MOST_WARNINGS]:
        messages.warning(request, line)
    if len(lines) > MOST_WARNINGS:
        messages.warning(request, f"and {len(lines) - MOST_WARNINGS} more")


def _tables_of(calendar: BusinessCalendar, year: int) -> tuple[str, str]:
    """The year's holidays, and its dates with hours or breaks of their own; what cannot be read is said instead."""
    try:
        document = document_of(calendar, today=date(year, 1, 1), from_year=year)
    except InvalidInput as refused:
        return str(refused.detail), ""
    return _holidays_of(calendar, year, document["holidays"]), _single_dates_of(calendar, year, document)


def _holidays_of(calendar: BusinessCalendar, year: int, holidays: dict[str, str]) -> str:
    own = set(calendar.holidays.values_list("date", flat=True))
    rows = [
        (day, f"{date.fromisoformat(day):%A}", name, "own" if date.fromisoformat(day) in own else calendar.country)
        for day, name in holidays.items()
        if day.startswith(f"{year}-")
    ]
    return table(("Date", "Day", "Name", "From"), rows, empty=f"No holidays in {year}.")


def _single_dates_of(calendar: BusinessCalendar, year: int, document: dict[str, Any]) -> str:
    overruled = overruled_days(document)
    rows = []
    for day in calendar.special_days.filter(date__year=year):
        closed_by = overruled.get(str(day.date)) if day.kind == SpecialDay.Kind.HOURS else None
        counts = "yes" if closed_by is None else verdict(f"no: a holiday{in_brackets([closed_by])}", good=False)
        rows.append((f"{day.date:%a %Y-%m-%d}", day.get_kind_display(), day.hours or "closed", day.note, counts))
    return table(("Date", "Kind", "Hours", "Note", "Counts"), rows, empty=f"No single dates in {year}.")


def _tried(form: TryForm, calendar: BusinessCalendar) -> dict[str, Any] | None:
    """When it would be due, and every stretch until then with why it counts or not; None if something is refused."""
    if not form.is_valid():
        return None
    start, length, unit = (form.cleaned_data[key] for key in ("start", "length", "unit"))
    try:
        pure = _pure(calendar, form.cleaned_data["of"])
        due = add_days(pure, start, int(length)) if unit == "days" else add(pure, start, float(length * SECONDS[unit]))
        spans = explain(pure, start, due)
    except InvalidInput as refused:
        refused_beside(form, {"start" if key == "instant" else key: said for key, said in refused.errors.items()})
        return None
    rows = [_told(span, pure.line.zone) for span in spans[:MOST_SPANS]]
    counted = sum((span.end - span.start for span in spans if span.why == "open"), timedelta())
    return {
        "due": _when(due, pure.line.zone),
        "zone": pure.line.zone.key,
        "counted": _length(counted),
        "spans": table(("From", "To", "Length", "Counts"), rows, empty="Due at once."),
        "more": max(0, len(spans) - MOST_SPANS),
    }


def _pure(calendar: BusinessCalendar, of: str) -> Calendar:
    if of == EDITED:
        return Calendar.from_document(document_of(calendar, today=clock.now().date()))
    return calendar_of(CalendarVersion.objects.get(key=calendar.key, n=int(of)).pk)


def _told(span: Span, zone: ZoneInfo) -> tuple[str, str, str, str]:
    why = "counted" if span.why == "open" else f"no: {span.why}{in_brackets(span.names)}"
    return _when(span.start, zone), _when(span.end, zone), _length(span.end - span.start), why


def _when(instant: datetime, zone: ZoneInfo) -> str:
    there = instant.astimezone(zone)
    clock_time = f"{there:%H:%M:%S}" if there.second else f"{there:%H:%M}"
    return f"{there:%a %d %b %Y} {clock_time} {there:%Z}"


def _length(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02} h" + (f" {seconds} s" if seconds else "")
