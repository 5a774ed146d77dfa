"""Business calendars: staff edit them, and freeze what they edited as the next version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.admin import TabularInline
from unfold.decorators import action, display

from apps.calendars.admin.forms import DAYS, CalendarForm, SpecialDayForm, break_field, open_field
from apps.calendars.admin.pages import import_page, look_page, warn_of_overruled_days
from apps.calendars.business_time import Calendar, open_intervals
from apps.calendars.business_time.document import WEEKDAYS
from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday, SpecialDay
from apps.calendars.selectors import current_version
from apps.calendars.services import document_of, freeze_calendar
from apps.core import clock
from apps.core.admin import KeptAdmin, KeyedVersionAdmin, SaveThenActAdmin
from apps.core.admin_parts import link_to, table, verdict
from apps.core.errors import InvalidInput


class HolidayInline(TabularInline):
    model = Holiday
    extra = 0
    fields = ("date", "name")
    verbose_name_plural = "own holidays"


class SpecialDayInline(TabularInline):
    model = SpecialDay
    form = SpecialDayForm
    extra = 0
    fields = ("date", "kind", "hours", "note")
    verbose_name_plural = "hours and breaks of single dates"


HOURS: tuple[str, Any] = (
    "Opening hours",
    {
        "fields": tuple((open_field(day), break_field(day)) for day in WEEKDAYS),
        "description": (
            "For example “09:00-12:30, 13:00-17:00”; “22:00-06:00” runs into the next day; nothing means closed."
            " Breaks are taken out of the hours of their day, those of single dates too."
        ),
    },
)


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(KeptAdmin, SaveThenActAdmin):
    form = CalendarForm
    inlines = (HolidayInline, SpecialDayInline)
    list_display = ("name", "key", "time_zone", "country")
    search_fields = ("name", "key")
    ordering = ("name",)
    readonly_fields = ("preview", "frozen")
    actions_submit_line = ("freeze",)
    actions_detail: Sequence[str] = ("look", "import_holidays")
    add_fieldsets = ((None, {"fields": ("key", "name", "time_zone", "country")}), HOURS)
    fieldsets = (
        (None, {"fields": ("key", "name", "time_zone", "country", "frozen")}),
        HOURS,
        ("As it is saved", {"fields": ("preview",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: BusinessCalendar | None = None) -> Sequence[str]:
        return ("key", *self.readonly_fields) if obj else ()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        super().save_related(request, form, formsets, change)
        warn_of_overruled_days(request, BusinessCalendar.objects.get(pk=form.instance.pk))

    @action(description="Save and freeze a new version", permissions=["change"])
    def freeze(self, request: HttpRequest, calendar: BusinessCalendar) -> str:
        before = current_version(calendar.key)
        version = freeze_calendar(calendar, created_by=f"user:{request.user.pk}")
        if before and before.pk == version.pk:
            return f"Nothing changed since {version}."
        return f"Frozen as {version}. Requests submitted from now on are measured by it."

    @action(description="Look at a year, try a deadline", url_path="look", permissions=["view"])
    def look(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return look_page(request, get_object_or_404(BusinessCalendar, pk=unquote(object_id)))

    @action(description="Holidays from a file", url_path="import", permissions=["change"])
    def import_holidays(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return import_page(request, get_object_or_404(BusinessCalendar, pk=unquote(object_id)))

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
