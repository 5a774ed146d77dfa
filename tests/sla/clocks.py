"""What the tests of clocks share: an office and a calendar of every hour, two targets, and short words for events."""

from __future__ import annotations

from datetime import datetime

from apps.calendars.business_time import Calendar
from apps.sla.clock import (
    ClockEvent,
    ClockState,
    Context,
    Duration,
    Target,
    advance,
    replay,
)
from apps.sla.conditions import defaults

HOUR = 3600
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = Calendar.from_document(
    {
        "time_zone": "Europe/Amsterdam",
        "week": {day: ["09:00-12:30", "13:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
        "holidays": {"2026-04-06": "Easter Monday"},
    }
)
NIGHT = Calendar.from_document({"time_zone": "UTC", "week": {day: ["00:00-24:00"] for day in DAYS}})
CALENDARS = {1: OFFICE}
BOTH = {1: OFFICE, 2: NIGHT}
PINS = {"calendars": {"office": 1}}
CONTEXT = Context(calendars={"office": 1})
PRIORITIES = ("critical", "high", "medium", "low")


def target(metric: str, duration: Duration, *, pauses: bool = True, **more: object) -> Target:
    """A target with one duration for every priority."""
    durations = dict.fromkeys(PRIORITIES, duration)
    changes = defaults(metric, str(more.get("of", "")), pauses=pauses)
    return Target(id=str(more.pop("id", metric)), metric=metric, durations=durations, changes=changes, **more)


RESOLUTION = target("resolution", Duration(n=8 * HOUR, unit="business"), id="fix", calendar="office", warn_at=(50, 75))
RESPONSE = target("response", Duration(n=2 * HOUR, unit="elapsed"), id="answer")
POLICY = {
    "targets": [
        {
            "id": "response",
            "metric": "response",
            "calendar": "office",
            "durations": {
                "critical": {"business_seconds": 3600},
                "high": {"business_seconds": 7200},
                "medium": {"business_seconds": 14400},
                "low": {"seconds": 86400},
            },
            "warn_at": [75, 50],
        }
    ],
    "pause_on_hold": True,
}


def at(text: str) -> datetime:
    """2 to 10 March 2026, in UTC; the office is open from 8 to 11:30 and from 12 to 16."""
    return datetime.fromisoformat(f"2026-03-{text}+00:00")


def event(kind: str, text: str) -> ClockEvent:
    return told(kind, at(text))


def told(kind: str, moment: datetime, **data: object) -> ClockEvent:
    pins = {"pins": PINS} if kind == "submitted" else {}
    return ClockEvent(type=kind if "." in kind else f"request.{kind}", at=moment, data=pins | data)


def read(*events: ClockEvent, until: str, target: Target = RESOLUTION):
    return replay(target, CALENDARS, events, at(until))


def apply(state: ClockState, target: Target, event: ClockEvent) -> ClockState:
    return advance(state, target, CONTEXT, CALENDARS, event)[0]
