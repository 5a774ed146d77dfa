"""Another priority for a request: what the preview says is what then happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.approvals.models import Approval
from apps.core import clock
from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.requests.models import Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, hold_request
from apps.requests.services.priority import Preview, preview, set_priority
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.factories import make_calendar, make_person, make_request, refusal, row_counts

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # 09:00 in Amsterdam
HOUR = timedelta(hours=1)
ALL_STOP: dict[str, Any] = {"impact": "high", "urgency": "high"}
NO_HURRY: dict[str, Any] = {"impact": "low", "urgency": "low"}


def durations(unit: str, **hours: int) -> dict[str, dict[str, int]]:
    return {level: {unit: n * 3600} for level, n in hours.items()}


DAYS = {
    "critical": {"seconds": 7200},
    "high": {"business_days": 1},
    "medium": {"business_days": 2},
    "low": {"calendar_days": 9},
}
OFFICE_HOURS = durations("business_seconds", critical=2, high=4, medium=10, low=40)
HOURS = durations("seconds", critical=1, high=2, medium=3, low=9)
TARGETS = [
    {"id": "fix", "metric": "resolution", "calendar": "office", "warn_at": [50], "durations": OFFICE_HOURS},
    {"id": "ola", "metric": "resolution", "team": "it", "durations": HOURS},
    {"id": "days", "metric": "resolution", "calendar": "office", "durations": DAYS},
]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time to so many hours after Monday morning."""

    def later(hours: float) -> datetime:
        moment = MONDAY + hours * HOUR
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    return later


def asked(world: Any, *targets: dict[str, Any]) -> Request:
    """Submitted, approved, with team it."""
    make_calendar()
    SlaPolicyVersion.freeze("standard", {"targets": list(targets)})
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    return Request.objects.get(pk=request.pk)


def foreseen(found: Preview) -> dict[str, tuple[Any, ...]]:
    return {
        one.clock.target: (one.after.status, one.after.due_at, one.after.state.allowed, one.after.state.next_check_at)
        for one in found.clocks
    }


def stored(request: Request) -> dict[str, tuple[Any, ...]]:
    rows = SlaClock.objects.filter(stream_id=request.pk)
    return {row.target: (row.status, row.due_at, row.allowed, row.next_check_at) for row in rows}


@pytest.mark.parametrize("hours", [0.5, 1.5, 2.5, 30])
@pytest.mark.parametrize("levels", [ALL_STOP, NO_HURRY, {"impact": "medium", "urgency": "high"}])
@pytest.mark.parametrize("held", [False, True])
def test_what_the_preview_says_of_every_clock_is_what_then_happens(world, at, hours, levels, held):
    at(0)
    request = asked(world, *TARGETS)
    if held:
        at(0.25)
        request = hold_request(request, reason="No stock", actor=world.lead)
    at(hours)
    before = row_counts()
    found = preview(request, **levels, actor=world.worker)
    assert row_counts() == before
    set_priority(request, **levels, reason="So it is", actor=world.worker)
    assert foreseen(found) == stored(request)
    assert len(found.clocks) == 3
    assert found.priority == Request.objects.get(pk=request.pk).priority


def test_it_says_when_a_clock_is_due_before_and_after_and_what_is_missed_at_once(world, at):
    at(0)
    escalation = {"id": "boss", "at": 100, "do": "notify", "to": [{"lead": True}], "text": "Late"}
    request = asked(world, {**TARGETS[0], "escalations": [escalation]}, TARGETS[1])
    now = at(1.5)
    found = preview(request, **ALL_STOP, actor=world.lead)
    fix, ola = found.clocks
    assert (found.at, found.was, found.priority) == (now, "medium", "critical")
    assert (fix.before.due_at, fix.after.due_at) == (MONDAY + 26 * HOUR, MONDAY + 2 * HOUR)
    assert (fix.moves, fix.is_missed_at_once, fix.escalates_at_once) == (True, False, False)
    assert (ola.before.due_at, ola.after.due_at, ola.is_missed_at_once) == (MONDAY + 3 * HOUR, now, True)
    at(3)
    fix, ola = preview(request, **ALL_STOP, actor=world.lead).clocks
    assert (fix.is_missed_at_once, fix.escalates_at_once) == (True, True)
    assert (ola.before.status, ola.moves, ola.is_missed_at_once) == ("breached", True, False)


def test_levels_that_give_the_same_priority_move_nothing(world, at):
    at(0)
    request = asked(world, *TARGETS)
    at(1)
    found = preview(request, impact="high", urgency="low", actor=world.worker)
    assert (found.was, found.priority, [one.moves for one in found.clocks]) == ("medium", "medium", [False] * 3)


def test_a_request_without_clocks_has_a_preview_of_its_priority_only(world, at):
    world.item.sla_key = ""
    world.item.save()
    at(0)
    found = preview(asked(world, *TARGETS), **ALL_STOP, actor=world.worker)
    assert (found.priority, found.clocks) == ("critical", [])


def test_the_preview_is_for_those_who_may_change_it(world):
    request = asked(world, *TARGETS)
    auditor = make_person("auditor", roles=["auditor"])
    for person in (world.requester, world.stranger, world.manager, auditor):
        with refusal(NotPermitted):
            preview(request, **ALL_STOP, actor=person)
    with refusal(InvalidInput, match="urgency"):
        preview(request, impact="high", urgency="", actor=world.lead)
    cancelled = cancel_request(request, actor=world.requester)
    with refusal(TransitionNotAllowed):
        preview(cancelled, **ALL_STOP, actor=world.lead)


def test_what_is_like_this_already_is_refused(world):
    request = asked(world, *TARGETS)
    with refusal(InvalidInput, match="like this already"):
        set_priority(request, impact="medium", urgency="medium", reason="Why not", actor=world.lead)


@pytest.mark.parametrize("count", [1, 3])
def test_a_preview_takes_as_many_statements_however_many_clocks_there_are(world, count, django_assert_num_queries):
    request = asked(world, *TARGETS[:count])
    preview(request, **ALL_STOP, actor=world.lead)
    with django_assert_num_queries(2):
        assert len(preview(request, **ALL_STOP, actor=world.lead).clocks) == count
