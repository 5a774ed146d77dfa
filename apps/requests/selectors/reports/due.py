"""Which clocks breach soon."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Q

from apps.accounts.models import User
from apps.calendars.business_time import between
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.requests.enums import IMPORT
from apps.requests.models import Request
from apps.requests.reports import DueClock, DueSoon, Filters, Named
from apps.requests.selectors.reports.compliance import REQUEST, target_named
from apps.requests.selectors.reports.scope import requests_for, within
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, target_of

HOURS, MOST_HOURS = 8, 168
MOST_ROWS = 200


def due_soon(reader: User, filters: Filters, *, hours: int = HOURS, most: int = MOST_ROWS) -> DueSoon:
    """The running clocks that are due within so many hours (1 to 168), and those overdue that no sweep has come to yet.

    The earliest `most` of them, with the number of all; a period in the filters bounds when they are due. A clock that
    is paused is not due at any time, and requests that are still being imported are nobody's work yet. Raises
    NotPermitted, InvalidInput. At most three statements, and one more the first time a process meets a policy or
    calendar version.
    """
    if not 1 <= hours <= MOST_HOURS:
        raise InvalidInput({"hours": [f"This must be a whole number from 1 to {MOST_HOURS}."]})
    now = clock.now()
    until = now + timedelta(hours=hours)
    asked = requests_for(reader, filters, at=REQUEST, priority="priority") & within(filters, "due_at")
    asked &= ~Q(**{f"{REQUEST}origin": IMPORT})
    if filters.metrics:
        asked &= Q(metric__in=filters.metrics)
    # whatever is due is checked at that time or earlier: so the index of the sweep finds it
    due = SlaClock.objects.filter(asked, status=ClockStatus.RUNNING, due_at__lte=until, next_check_at__lte=until)
    counts = due.aggregate(total=Count("pk"), overdue=Count("pk", filter=Q(due_at__lte=now)))
    shown = [f"stream__request__{name}" for name in ("item", "team", "assignee")]
    rows = (
        due.select_related("policy", "stream__request", *shown)
        .defer("policy__document")
        .order_by("due_at", "pk")[:most]
    )
    return DueSoon(filters=filters, hours=hours, at=now, rows=tuple(_due(row, now) for row in rows), **counts)


def _due(row: SlaClock, now: datetime) -> DueClock:
    request: Request = row.stream.request
    assert row.due_at is not None
    by_calendar = target_of(row).durations[row.priority].by_calendar
    return DueClock(
        number=request.number,
        title=request.title,
        item=Named(key=request.item.slug, name=request.item.name),
        team=Named(key=request.team.key, name=request.team.name) if request.team else None,
        assignee=Named(key=request.assignee.username, name=str(request.assignee)) if request.assignee else None,
        priority=row.priority,
        metric=row.metric,
        target=target_named(row.policy_id, row.policy.key, row.target),
        due_at=row.due_at,
        seconds_left=_seconds_left(row, row.due_at, now, by_calendar=by_calendar),
        by_calendar=by_calendar,
    )


def _seconds_left(row: SlaClock, due: datetime, now: datetime, *, by_calendar: bool) -> float:
    """As the target counts them; not above zero for what is overdue."""
    if not by_calendar:
        return (due - now).total_seconds()
    assert row.calendar_id is not None
    calendar = CALENDARS[row.calendar_id]
    return between(calendar, now, due) if due >= now else 0 - between(calendar, due, now)
