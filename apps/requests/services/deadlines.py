"""Hold stops the deadlines of steps: when the request is resumed they are due as much later as it was held."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.approvals.models import ApprovalLevel
from apps.calendars.business_time import add, between
from apps.calendars.selectors import calendar_of
from apps.outbox.models import Event
from apps.requests.enums import RequestEvent
from apps.requests.services.approving import deadline_of_level
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
        stood_from = max(held_at, opened_at[timer.run_id, timer.visit, _level(timer)])
        after, due_at = _after(write, timer), timer.due_at
        timer.due_at = _later(write, after, due_at, stood_from)
        timer.check_at = _later(write, after, timer.check_at, stood_from) if timer.check_at < due_at else timer.due_at
    Timer.objects.bulk_update(timers, ["due_at", "check_at"])


def _held_at(write: Write) -> datetime | None:
    told = [event.at for event in write.events if event.type == RequestEvent.HELD]
    stored = Event.objects.filter(stream=write.request.stream, type=RequestEvent.HELD).order_by("-seq")
    return told[-1] if told else stored.values_list("at", flat=True).first()


def _openings(timers: list[Timer]) -> dict[tuple[int, int, str], datetime]:
    """When the visits or levels of the timers opened: that may have been while the request was held."""
    runs = {timer.run_id for timer in timers}
    visits = StepVisit.objects.filter(run__in=runs).values_list("run", "number", "opened_at")
    opened = {(run, number, ""): at for run, number, at in visits}
    if any(map(_level, timers)):
        levels = ApprovalLevel.objects.filter(approval__visit__run__in=runs).order_by("id")
        rows = levels.values_list("approval__visit__run", "approval__visit__number", "key", "opened_at")
        opened |= {(run, number, key): at for run, number, key, at in rows}
    return opened


def _level(timer: Timer) -> str:
    return timer.deadline if timer.kind == TimerKind.APPROVAL else ""


def _later(write: Write, after: Mapping[str, Any], point: datetime, stood_from: datetime) -> datetime:
    """A point of a deadline, as much after now as it was after the hold began; what was due by then is due now."""
    if "seconds" in after:
        return point + (write.at - stood_from)
    if "business_seconds" in after:
        calendar = calendar_of(write.request.pins["calendars"][after["calendar"]])
        return add(calendar, write.at, between(calendar, stood_from, max(point, stood_from)))
    return point


def _after(write: Write, timer: Timer) -> dict[str, Any]:
    """How the deadline counts: `seconds`, or `business_seconds` of a `calendar`."""
    run = write.passage_of(timer.run_id)
    visit = run.marking.visit(timer.visit)
    if visit is None:
        return {}
    if timer.kind == TimerKind.APPROVAL:
        return deadline_of_level(write, run, visit.step, timer.deadline)
    deadlines = run.definition.step(visit.step).settings.get("deadlines", ())
    return next((one["after"] for one in deadlines if one["id"] == timer.deadline), {})
