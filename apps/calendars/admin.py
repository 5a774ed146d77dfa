"""Business calendars: staff edit them, and freeze what they edited as the next version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import action, display

from apps.calendars.business_time import Calendar, open_intervals
from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday
from apps.calendars.selectors import current_version
from apps.calendars.services import country_holidays, document_of, freeze_calendar
from apps.core import clock
from apps.core.admin import KeptAdmin, KeyedVersionAdmin, SaveThenActAdmin
from apps.core.admin_parts import DocumentField, link_to, problem_lines, table, verdict
from apps.core.errors import InvalidInput

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class CalendarForm(forms.ModelForm):
    """A calendar whose week can be computed with: `business_time` refuses what is wrong, here beside its field."""

    week = DocumentField(
        order=[name[:3].lower() for name in DAYS],
        rows=10,
        help_text='For example {"mon": ["09:00-12:30", "13:00-17:00"], "tue": ["09:00-17:00"]}',
    )

    class Meta:
        model = BusinessCalendar
        fields = ("key", "name", "time_zone", "week", "country")

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if country:
            year = clock.now().year
            self._refused(lambda: country_holidays(country, years=range(year, year + 1)))
        return country

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "week" in cleaned and "time_zone" in cleaned:
            document = {"time_zone": cleaned["time_zone"], "week": cleaned["week"]}
            self._refused(lambda: Calendar.from_document(document))
        return cleaned

    def _refused(self, check: Callable[[], object]) -> None:
        """Puts what `check` refuses beside the field it names; what no field bears is the week's."""
        try:
            check()
        except InvalidInput as refused:
            for place, messages in refused.errors.items():
                if place in self.fields:
                    self.add_error(place, list(messages))
                else:
                    self.add_error("week", problem_lines({place: messages}))


class HolidayInline(TabularInline):
    model = Holiday
    extra = 0
    fields = ("date", "name")


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(KeptAdmin, SaveThenActAdmin):
    form = CalendarForm
    inlines = (HolidayInline,)
    list_display = ("name", "key", "time_zone", "country")
    search_fields = ("name", "key")
    ordering = ("name",)
    readonly_fields = ("preview", "frozen")
    actions_submit_line = ("freeze",)
    add_fieldsets = ((None, {"fields": ("key", "name", "time_zone", "country", "week")}),)
    fieldsets = (
        (None, {"fields": ("key", "name", "time_zone", "country", "frozen")}),
        ("Opening hours", {"fields": ("preview", "week")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: BusinessCalendar | None = None) -> Sequence[str]:
        return ("key", *self.readonly_fields) if obj else ()

    @action(description="Save and freeze a new version", permissions=["change"])
    def freeze(self, request: HttpRequest, calendar: BusinessCalendar) -> str:
        before = current_version(calendar.key)
        version = freeze_calendar(calendar, created_by=f"user:{request.user.pk}")
        if before and before.pk == version.pk:
            return f"Nothing changed since {version}."
        return f"Frozen as {version}. Requests submitted from now on are measured by it."

    @display(description="newest version")
    def frozen(self, calendar: BusinessCalendar) -> str:
        version = current_version(calendar.key)
        if version is None:
            return verdict("Never frozen: no SLA can use this calendar yet.", good=False)
        return link_to(version)

    @display(description="this week")
    def preview(self, calendar: BusinessCalendar) -> str:
        """The windows of each weekday, and what the coming seven days are like with their holidays."""
        try:
            document = document_of(calendar, today=clock.now().date())
            return _week_table(document, Calendar.from_document(document))
        except InvalidInput as refused:
            return verdict(refused.detail, good=False)


def _week_table(document: dict[str, Any], calendar: Calendar) -> str:
    today = clock.now().astimezone(ZoneInfo(document["time_zone"])).date()
    rows = []
    for place, name in enumerate(DAYS):
        day = today + timedelta(days=(place - today.weekday()) % 7)
        windows = ", ".join(document["week"].get(name[:3].lower(), [])) or "closed"
        rows.append((name, windows, f"{day:%d %b %Y}", _opening(document, calendar, day)))
    return table(("Day", "Hours of the week", "Next", "Open on that date"), rows, empty="")


def _opening(document: dict[str, Any], calendar: Calendar, day: date) -> str:
    zone = ZoneInfo(document["time_zone"])
    start, end = (datetime.combine(one, time(), tzinfo=zone) for one in (day, day + timedelta(days=1)))
    spans = [(low.astimezone(zone), high.astimezone(zone)) for low, high in open_intervals(calendar, start, end)]
    hours = ", ".join(f"{low:%H:%M}-{high:%H:%M}" for low, high in spans)
    return hours or str(document["holidays"].get(day.isoformat(), "closed"))


@admin.register(CalendarVersion)
class CalendarVersionAdmin(KeyedVersionAdmin):
    """Made by freezing a calendar only."""

    actions_detail: Sequence[str] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
