"""`manage.py explain_clock NUMBER`: why a request is due when it is, stretch by stretch."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError

from apps.core.text import text_problem
from apps.requests.enums import RequestStatus
from apps.requests.models import Request
from apps.requests.selectors.clocks import Explained, calendars_of, explained_clocks, why_of
from apps.requests.selectors.moves import Moved, moves_of
from apps.sla.enums import ClockStatus

MOST_SHOWN = 200


class Command(BaseCommand):
    help = "Says of every SLA clock of a request when it is due and why: what was counted, what was not, and by what."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="the request's number, such as SR-2026-000123")
        parser.add_argument("--all", action="store_true", help=f"every stretch, not only the newest {MOST_SHOWN}")

    def handle(self, *args: Any, **options: Any) -> None:
        request = _request(options["number"])
        zone = ZoneInfo(request.item.time_zone)
        title = " ".join(request.title.split())
        self.stdout.write(f"{request.number}  {title}  ({request.priority} priority; times in {zone.key})")
        clocks = explained_clocks(request)
        if not clocks:
            self.stdout.write(_why_none(request))
        for one, moves in zip(clocks, moves_of(request, clocks), strict=True):
            self._explain(one, moves, zone, most=None if options["all"] else MOST_SHOWN)

    def _explain(self, one: Explained, moves: Sequence[Moved], zone: ZoneInfo, *, most: int | None) -> None:
        reading = one.reading
        self.stdout.write("")
        due = f", due {_when(reading.due_at, zone)}" if reading.due_at else ""
        self.stdout.write(f"{one.target.name or one.target.id} ({one.target.metric}): {_state(reading.status)}{due}")
        used = f"{_duration(reading.elapsed)} of {_duration(reading.state.allowed)} used up"
        self.stdout.write(f"  {used}, by the policy {one.clock.policy.key} version {one.clock.policy.n}")
        for move in moves:
            self.stdout.write(f"  > {_when(move.event.at, zone)}  {move.sentence}")
        versions = calendars_of([one])
        shown = reading.intervals if most is None else reading.intervals[-most:]
        if left := len(reading.intervals) - len(shown):
            since = _when(reading.intervals[0].start, zone)
            self.stdout.write(
                f"    {since} - {_when(shown[0].start, zone)}  {left:,} older stretches (--all shows them)"
            )
        for interval in shown:
            counted = "+" if interval.counted else " "
            version = versions.get(interval.calendar) if interval.calendar is not None else None
            by = f", calendar {version.key} version {version.n}" if version else ""
            span = _duration((interval.end - interval.start).total_seconds())
            when = f"{_when(interval.start, zone)} - {_when(interval.end, zone)}"
            self.stdout.write(f"  {counted} {when}  {span:>10}  {why_of(interval)}{by}")


def _request(number: str) -> Request:
    """The request of that number, in whichever case it is typed. Raises CommandError."""
    typed = number.strip().upper()
    is_text = text_problem(typed, max_length=40) is None
    found = Request.objects.select_related("item").filter(number=typed).first() if is_text else None
    if found is None:
        raise CommandError(f"There is no request {ascii(number.strip()[:60])[1:-1]}.")
    return found


def _why_none(request: Request) -> str:
    """Why nothing measures the request."""
    if request.status == RequestStatus.DRAFT:
        return "It is a draft: its clocks start when it is submitted."
    policy = (request.selection.get("sla") or {}).get("policy")
    if not policy:
        return "No target measures this request: its item named no SLA policy when it was submitted."
    return f"No target of the SLA policy {policy} has started yet: none of the events they start with has happened."


def _state(status: str) -> str:
    return str(ClockStatus(status).label)


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as long as they need."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
