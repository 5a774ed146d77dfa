"""Why a request is due when it is: its clocks read from its events, with every stretch and its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apps.core import clock as time
from apps.requests.models import Request
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockReading, Interval, Target
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, events_told, target_of


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A stored clock with its target, and what a replay of the events says of it at `until`."""

    clock: SlaClock
    target: Target
    reading: ClockReading
    until: datetime


WHY = {
    "closed": "outside working hours",
    "holiday": "a holiday",
    "paused": "on hold",
    "other team": "another team had it",
}


def why_of(interval: Interval) -> str:
    """Why a stretch counted or not, as people say it."""
    if interval.counted:
        return "time runs" if interval.calendar is None else "within working hours"
    return WHY.get(interval.why, interval.why)


def explained_clocks(request: Request, *, until: datetime | None = None) -> list[Explained]:
    """The latest clock of every target of the request, oldest first."""
    latest: dict[str, SlaClock] = {}
    for row in SlaClock.objects.filter(stream_id=request.pk).select_related("policy", "calendar").order_by("id"):
        latest[row.target] = row
    if not latest:
        return []
    events = events_told(request.pk)
    moment = until or max(time.now(), events[-1].at)
    return list(_explained(latest, events, moment))


def _explained(latest: dict[str, SlaClock], events: list[ClockEvent], until: datetime) -> Iterator[Explained]:
    for row in latest.values():
        target = target_of(row)
        yield Explained(clock=row, target=target, reading=clock.replay(target, CALENDARS, events, until), until=until)
