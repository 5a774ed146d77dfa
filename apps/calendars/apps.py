from django.apps import AppConfig


class CalendarsConfig(AppConfig):
    name = "apps.calendars"
    label = "calendars"

    def ready(self) -> None:
        """Changes of calendars are logged field by field."""
        from auditlog.registry import auditlog  # noqa: PLC0415 - it needs the loaded apps

        from apps.calendars.models import (  # noqa: PLC0415 - they are there only now
            BusinessCalendar,
            CalendarVersion,
            Holiday,
            SpecialDay,
        )

        for model in (BusinessCalendar, Holiday, SpecialDay, CalendarVersion):
            auditlog.register(model)
