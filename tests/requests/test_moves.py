"""What moved a due time is said on every face: another priority, and rules by which it was measured anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from apps.calendars.models import CalendarVersion
from apps.requests.selectors import history_of
from apps.requests.selectors.clocks import explained_clocks
from apps.requests.selectors.explaining import explain
from apps.requests.selectors.moves import moves_of
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, apply
from apps.sla.models import SlaPolicyVersion
from tests.factories import make_calendar, make_request

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
MONDAY = datetime.fromisoformat("2026-03-02T09:00:00+01:00")
LEVELS = ("critical", "high", "medium", "low")


def at(hours: float) -> Any:
    return time_machine.travel(MONDAY + timedelta(hours=hours), tick=False)


def carried(world: Any, *, retroactive: bool) -> Any:
    """A request that became critical an hour after it was asked, and was carried over to shorter days after two."""
    old = make_calendar()
    durations = {level: {"business_seconds": 12 * 3600} for level in LEVELS}
    durations["critical"] = {"business_seconds": 7 * 3600}
    fix = {"id": "fix", "name": "Solved", "metric": "resolution", "calendar": "office", "durations": durations}
    SlaPolicyVersion.freeze("standard", {"targets": [fix]})
    with at(0):
        request = make_request(world.item, world.requester)
    with at(1):
        set_priority(request, impact="high", urgency="high", reason="All stop", actor=world.administrator)
    week = {day: ["10:00-15:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    new = CalendarVersion.freeze("office", {"time_zone": "Europe/Amsterdam", "week": week, "holidays": {}})
    with at(2):
        apply(Rebase(replaces={old.pk: new.pk}, retroactive=retroactive), actor=world.administrator)
    return request


@pytest.mark.parametrize(
    ("retroactive", "mode", "due"),
    [
        (True, "as if it had always been in force", "due Tue 03 Mar 2026 11:00 (UTC)"),
        (False, "from then on", "due Tue 03 Mar 2026 10:00 (UTC)"),
    ],
)
def test_another_priority_and_other_rules_are_said_with_the_due_time_before_and_after(
    world, retroactive: bool, mode: str, due: str
) -> None:
    request = carried(world, retroactive=retroactive)
    with at(3):
        (moved,) = moves_of(request, explained_clocks(request))
        (told,) = [one.moved_by for one in explain(request, reader=world.requester).clocks]
        out = StringIO()
        call_command("explain_clock", request.number, stdout=out)
        history = [line.what for line in history_of(request, reader=world.requester) if line.type == "sla.rebased"]
    was = "was Mon 02 Mar 2026 15:00 (UTC)"
    expected = [
        "The priority changed from medium to critical: due Mon 02 Mar 2026 15:00 (UTC), was Tue 03 Mar 2026 12:00"
        " (UTC).",
        f"It was measured anew by the calendar office, version 2, {mode}: {due}, {was}.",
    ]
    assert [one.sentence for one in moved] == [one.sentence for one in told] == expected
    assert all(sentence in out.getvalue() for sentence in expected)
    assert history == [f"measured the clocks anew by the calendar office, version 2, {mode}: “Solved” is {due}, {was}"]
