"""The staff pages of calendars."""

from apps.calendars.admin import calendars as _calendars  # noqa: F401 - it registers the pages
