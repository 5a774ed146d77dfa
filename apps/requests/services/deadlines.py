"""Hold stops the deadlines of steps: when the request is resumed they are due as much later as it was held."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.calendars.business_time import add, between
from apps.calendars.selectors import calendar_of
from apps.outbox.models import Event
from apps.requests.enums import RequestEvent
from apps.requests.services.writing import Write
from apps.workflows.enums import TimerKind
from apps.workflows.models import StepVisit, Timer

STANDING_STILL = (TimerKind.DEADLINE, TimerKind.APPROVAL)


def put_deadlines_off(write: Write) -> None:
    """Moves the open deadlines that count a duration, by as much of it as they were held; points in time stay."""
    timers = list(Timer.objects.filter(stream=write.request.stream, kind__in=STANDING_STILL, closed_at=None))
    held_at = _held_at(write) if timers else None
    if held_at is None:
        return
    opened_at = _openings(timers)
    for timer in timers:
        stood_from = max(held_at, opened_at[timer.run_id, timer.visit])
        timer.due_at = timer.check_at = _later(write, timer, stood_from)
    Timer.objects.bulk_update(timers, ["due_at", "check_at"])


def _held_at(write: Write) -> datetime | None:
    told = [event.at for event in write.events if event.type == RequestEvent.HELD]
    stored = Event.objects.filter(stream=write.request.stream, type=RequestEvent.HELD).order_by("-seq")
    return told[-1] if told else stored.values_list("at", flat=True).first()


def _openings(timers: list[Timer]) -> dict[tuple[int, int], datetime]:
    """When the visits of the timers opened: that may have been while the request was held."""
    visits = StepVisit.objects.filter(run__in={timer.run_id for timer in timers})
    return {(run, number): at for run, number, at in visits.values_list("run", "number", "opened_at")}


def _later(write: Write, timer: Timer, stood_from: datetime) -> datetime:
    after = _after(write, timer)
    if "seconds" in after:
        return timer.due_at + (write.at - stood_from)
    if "business_seconds" in after:
        calendar = calendar_of(write.request.pins["calendars"][after["calendar"]])
        return add(calendar, write.at, between(calendar, stood_from, timer.due_at))
    return timer.due_at


def _after(write: Write, timer: Timer) -> dict[str, Any]:
    run = write.passage_of(timer.run_id)
    visit = run.marking.visit(timer.visit)
    if visit is None:
        return {}
    deadlines = run.definition.step(visit.step).settings.get("deadlines", ())
    return next((one["after"] for one in deadlines if one["id"] == timer.deadline), {})
