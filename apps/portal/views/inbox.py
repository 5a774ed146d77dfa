"""What waits for the reader: answers and work."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.outbox.selectors import feed_position
from apps.portal.pages import page, reader_of
from apps.requests.selectors import tasks_for, waiting_approvals
from apps.requests.selectors.progress import next_clocks

MOST_SHOWN = 100


def waiting_for_reader(reader: User, *, most: int = MOST_SHOWN) -> dict[str, Any]:
    """The newest approvals and tasks that wait for somebody, each with the clock of its request; three statements."""
    seats = list(waiting_approvals(reader)[:most])
    tasks = list(tasks_for(reader)[:most])
    streams = [seat.level.approval.stream_id for seat in seats] + [task.stream_id for task in tasks]
    clocks = next_clocks(streams) if streams else {}
    return {
        "approvals": [{"seat": seat, "clock": clocks.get(seat.level.approval.stream_id)} for seat in seats],
        "tasks": [{"task": task, "clock": clocks.get(task.stream_id)} for task in tasks],
        "full": max(len(seats), len(tasks)) == most,
    }


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    after = feed_position()
    return render(request, "portal/inbox.html", {"after": after} | waiting_for_reader(reader_of(request)))
