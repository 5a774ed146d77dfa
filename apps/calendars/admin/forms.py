"""What people type into the pages of calendars: hours as text, dates of their own, a file, a start and a length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.calendars.business_time import Calendar
from apps.calendars.business_time.document import WEEKDAYS
from apps.calendars.hours_text import as_hours, read_windows
from apps.calendars.models import BusinessCalendar, SpecialDay
from apps.calendars.services import FIRST_YEAR, country_holidays
from apps.core import clock
from apps.core.admin_parts import problem_lines
from apps.core.errors import InvalidInput

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_HOURS = 10_000
MOST_DAYS = 1_000
LAST_YEAR = 2100


def open_field(day: str) -> str:
    return f"open_{day}"


def break_field(day: str) -> str:
    return f"break_{day}"


def _hours_field(label: str, example: str) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"placeholder": example, "spellcheck": "false"})
    return forms.CharField(label=label, required=False, max_length=400, widget=widget)


HOURS_FIELDS: dict[str, forms.CharField] = {}
for _key, _name in zip(WEEKDAYS, DAYS, strict=True):
    HOURS_FIELDS[open_field(_key)] = _hours_field(_name, "closed")
    HOURS_FIELDS[break_field(_key)] = _hours_field(f"{_name}, breaks", "none")


class CalendarFields(forms.ModelForm):
    """A calendar whose week can be computed with: `business_time` refuses what is wrong, here beside its field."""

    class Meta:
        model = BusinessCalendar
        fields = ("key", "name", "time_zone", "country")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for day in WEEKDAYS:
            self.initial.setdefault(open_field(day), as_hours((self.instance.week or {}).get(day, [])))
            self.initial.setdefault(break_field(day), as_hours((self.instance.breaks or {}).get(day, [])))

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if country:
            year = clock.now().year
            self._refused(lambda: country_holidays(country, years=range(year, year + 1)))
        return country

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        week = self._windows(open_field)
        breaks = self._windows(break_field)
        if "time_zone" in cleaned:
            document = {"time_zone": cleaned["time_zone"], "week": week, "breaks": breaks}
            self._refused(lambda: Calendar.from_document(document))
        self.instance.week, self.instance.breaks = week, breaks
        return cleaned

    def _windows(self, field_of: Callable[[str], str]) -> dict[str, list[str]]:
        read = {day: read_windows(self.cleaned_data.get(field_of(day)) or "") for day in WEEKDAYS}
        return {day: windows for day, windows in read.items() if windows}

    def _refused(self, check: Callable[[], object]) -> None:
        """Puts what `check` refuses beside the field it names; what is wrong with the whole week stands above it."""
        try:
            check()
        except InvalidInput as refused:
            for place, messages in refused.errors.items():
                field = _field_at(place)
                self.add_error(field if field in self.fields else None, list(messages))


def _field_at(place: str) -> str:
    """The form's field for a place of the document: `week.mon` is `open_mon`."""
    part, _, day = place.partition(".")
    return {"week": open_field(day), "breaks": break_field(day)}.get(part, part)


CalendarForm = type("CalendarForm", (CalendarFields,), {**HOURS_FIELDS, "__module__": __name__})


class SpecialDayForm(forms.ModelForm):
    """One date: hours that replace the week's (none: closed), or breaks (at least one)."""

    class Meta:
        model = SpecialDay
        fields = ("date", "kind", "hours", "note")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        windows = read_windows(cleaned.get("hours") or "")
        if cleaned.get("kind") == SpecialDay.Kind.BREAK and not windows:
            self.add_error("hours", "A break needs its hours, such as “12:00-12:30”.")
        elif cleaned.get("date") and cleaned.get("kind"):
            self._check(windows, f"{cleaned['date']}", "breaks" if cleaned["kind"] == "break" else "overrides")
        return cleaned

    def _check(self, windows: list[str], day: str, key: str) -> None:
        always = {weekday: ["00:00-24:00"] for weekday in WEEKDAYS}
        try:
            Calendar.from_document({"time_zone": "UTC", "week": always, key: {day: windows}})
        except InvalidInput as refused:
            self.add_error("hours", [text for messages in refused.errors.values() for text in messages])


class FileForm(forms.Form):
    """A calendar file to read holidays from."""

    file = forms.FileField(
        label="Calendar file (.ics)",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".ics,text/calendar"}),
        help_text="Its all-day events become holidays. First you see which; nothing is added before you say so.",
        allow_empty_file=True,
    )


class YearForm(forms.Form):
    year = forms.IntegerField(min_value=FIRST_YEAR, max_value=LAST_YEAR, widget=UnfoldAdminIntegerFieldWidget())


class TryForm(forms.Form):
    """A start and a length, to see what a calendar makes of them."""

    UNITS = (("hours", "business hours"), ("minutes", "business minutes"), ("days", "business days"))

    start = forms.CharField(
        max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="With its offset: 2026-03-02T10:00+01:00"
    )
    length = forms.DecimalField(min_value=0, decimal_places=2, max_digits=12, widget=UnfoldAdminDecimalFieldWidget())
    unit = forms.ChoiceField(choices=UNITS, widget=UnfoldAdminSelectWidget())
    of = forms.ChoiceField(label="Calendar", widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, versions: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["of"]
        field.choices = versions

    def clean_start(self) -> datetime:
        try:
            start = parse_datetime(self.cleaned_data["start"].strip().replace(" +", "+"))
        except ValueError:
            start = None
        if start is None:
            raise ValidationError("No time such as “2026-03-02T10:00+01:00”.")
        if start.tzinfo is None:
            raise ValidationError("This time has no offset from UTC; write for example “2026-03-02T10:00+01:00”.")
        return start

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        length: Decimal | None = cleaned.get("length")
        unit = cleaned.get("unit")
        if length is None or unit is None:
            return cleaned
        most = {"hours": MOST_HOURS, "minutes": MOST_HOURS * 60, "days": MOST_DAYS}[unit]
        if length > most:
            self.add_error("length", f"At most {most:,} {dict(self.UNITS)[unit]} can be tried.")
        elif unit == "days" and length != int(length):
            self.add_error("length", "Business days are whole.")
        return cleaned


def refused_beside(form: forms.Form, errors: Mapping[str, Sequence[str]]) -> None:
    """What the domain refuses, beside the fields it names or above the form."""
    for place, messages in errors.items():
        if place in form.fields:
            form.add_error(place, list(messages))
        else:
            form.add_error(None, problem_lines({place: messages}))
