"""Calendar versions as pure calendars, compiled once per process: a version never changes."""

from __future__ import annotations

from functools import lru_cache

from apps.calendars.business_time import Calendar
from apps.calendars.models import CalendarVersion


def current_version(key: str) -> CalendarVersion | None:
    """The newest frozen version of the calendar with this key."""
    version: CalendarVersion | None = CalendarVersion.objects.current(key)
    return version


@lru_cache(maxsize=256)
def calendar_of(version_id: int) -> Calendar:
    """The pure calendar of a version."""
    return Calendar.from_document(CalendarVersion.objects.get(pk=version_id).document, frozen=True)


def known_calendars() -> list[str]:
    """The keys of the calendars that have a version, in order."""
    return list(CalendarVersion.objects.order_by("key").values_list("key", flat=True).distinct())
