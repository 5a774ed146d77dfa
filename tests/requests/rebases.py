"""What tests of carrying requests over share: other hours of a calendar, and a rebase from look to end."""

from __future__ import annotations

from apps.calendars.models import CalendarVersion
from apps.outbox.models import Event
from apps.requests.models import Rebasing, Request
from apps.requests.services.rebasing import Rebase
from apps.requests.services.rebasing_work import (
    ask_rebase,
    confirm_rebase,
)
from apps.requests.services.rebasing_worker import run_rebasings
from tests.requests.test_clocks import LEVELS

NIGHT = {day: ["20:00-22:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
BUSINESS = {priority: {"business_seconds": 36_000} for priority in LEVELS}


def shorter_hours(key: str = "office", **more: object) -> CalendarVersion:
    return CalendarVersion.freeze(key, {"time_zone": "UTC", "week": NIGHT, "holidays": {}, **more})


def rebased(request: Request) -> list[dict]:
    return list(
        Event.objects.filter(stream_id=request.pk, type="sla.rebased").order_by("seq").values_list("data", flat=True)
    )


def carried(world, rebase: Rebase) -> Rebasing:
    row = confirm_rebase(ask_rebase(rebase, actor=world.administrator), actor=world.administrator)
    assert run_rebasings() == 1
    row.refresh_from_db()
    return row


def waiting(calendar: str = "office", seconds: int = 36_000) -> dict:
    """A workflow that waits for so many business seconds, and ends."""
    return {
        "format": 1,
        "workflow": "waiting",
        "name": "Waiting",
        "steps": [
            {"id": "start", "kind": "start"},
            {"id": "rest", "kind": "wait", "name": "Rest", "for": {"business_seconds": seconds, "calendar": calendar}},
            {"id": "done", "kind": "end", "outcome": "completed"},
        ],
        "transitions": [{"from": "start", "to": "rest"}, {"from": "rest", "to": "done"}],
    }
