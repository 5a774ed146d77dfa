from __future__ import annotations

from django.db import models

from apps.core.models import KeyedVersion


class BusinessCalendar(models.Model):
    """The working hours staff edit; freezing it makes the next `CalendarVersion`, which clocks are pinned to."""

    key = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC")
    week = models.JSONField(help_text='For example {"mon": ["09:00-12:30", "13:00-17:00"], "tue": ["09:00-17:00"]}')
    breaks = models.JSONField(default=dict, blank=True)  # weekdays to windows, as `week`; those of dates are SpecialDay
    country = models.CharField(max_length=2, blank=True, help_text="Public holidays of this country (ISO code)")

    def __str__(self) -> str:
        return self.name


class Holiday(models.Model):
    """A day of the calendar's own on which it stays closed."""

    calendar = models.ForeignKey(BusinessCalendar, on_delete=models.CASCADE, related_name="holidays")
    date = models.DateField()
    name = models.CharField(max_length=120)

    class Meta:
        ordering = ["date"]
        constraints = [models.UniqueConstraint(fields=["calendar", "date"], name="holiday_once")]

    def __str__(self) -> str:
        return f"{self.date} {self.name}"


class SpecialDay(models.Model):
    """Hours of a single date that replace the week's, or breaks of it; `hours` as people write them."""

    class Kind(models.TextChoices):
        HOURS = "hours", "open only"
        BREAK = "break", "break"

    calendar = models.ForeignKey(BusinessCalendar, on_delete=models.CASCADE, related_name="special_days")
    date = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.HOURS)
    hours = models.CharField(max_length=200, blank=True, help_text="09:00-12:30, 13:00-15:00; nothing means closed")
    note = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["date", "kind"]
        constraints = [models.UniqueConstraint(fields=["calendar", "date", "kind"], name="special_day_once")]

    def __str__(self) -> str:
        return f"{self.date} {self.get_kind_display()} {self.hours}"


class CalendarVersion(KeyedVersion):
    """An immutable calendar with every holiday as an explicit date (`business_time.Calendar.from_document`)."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "n"], name="calendar_version")]
