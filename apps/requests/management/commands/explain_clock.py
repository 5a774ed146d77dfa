"""`manage.py explain_clock NUMBER`: why a request is due when it is, stretch by stretch."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError

from apps.requests.models import Request
from apps.requests.selectors.clocks import Explained, calendars_of, explained_clocks, why_of
from apps.sla.enums import ClockStatus


class Command(BaseCommand):
    help = "Says of every SLA clock of a request when it is due and why: what was counted, what was not, and by what."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="the request's number, such as SR-2026-000123")

    def handle(self, *args: Any, **options: Any) -> None:
        request = Request.objects.select_related("item").filter(number=options["number"].strip()).first()
        if request is None:
            raise CommandError(f"There is no request {options['number']}.")
        zone = ZoneInfo(request.item.time_zone)
        self.stdout.write(f"{request.number}  {request.title}  ({request.priority} priority; times in {zone.key})")
        clocks = explained_clocks(request)
        if not clocks:
            self.stdout.write("No target measures this request: its item names no SLA policy.")
        for one in clocks:
            self._explain(one, zone)

    def _explain(self, one: Explained, zone: ZoneInfo) -> None:
        reading = one.reading
        self.stdout.write("")
        due = f", due {_when(reading.due_at, zone)}" if reading.due_at else ""
        self.stdout.write(f"{one.target.name or one.target.id} ({one.target.metric}): {_state(reading.status)}{due}")
        used = f"{_duration(reading.elapsed)} of {_duration(reading.state.allowed)} used up"
        self.stdout.write(f"  {used}, by the policy {one.clock.policy.key} version {one.clock.policy.n}")
        versions = calendars_of([one])
        for interval in reading.intervals:
            counted = "+" if interval.counted else " "
            version = versions.get(interval.calendar) if interval.calendar is not None else None
            by = f", calendar {version.key} version {version.n}" if version else ""
            span = _duration((interval.end - interval.start).total_seconds())
            when = f"{_when(interval.start, zone)} - {_when(interval.end, zone)}"
            self.stdout.write(f"  {counted} {when}  {span:>10}  {why_of(interval)}{by}")


def _state(status: str) -> str:
    return str(ClockStatus(status).label)


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as long as they need."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
