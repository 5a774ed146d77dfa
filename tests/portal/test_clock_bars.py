"""The bar of a clock: from its start to its due time, with what is still to come; read from a replay, without a
database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.calendars.business_time import Calendar
from apps.portal import clock_bars
from apps.portal.clock_bars import MOST_STRETCHES, Bar
from apps.requests.selectors.clocks import Explained
from apps.sla import clock
from apps.sla.clock import ClockEvent, replay
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.targets import parse_policy
from apps.workflows.engine.document import compile_document
from tests.factories import line_document

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
WEEK = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
OFFICE = Calendar.from_document({"time_zone": "UTC", "week": WEEK, "holidays": {"2026-11-25": "Fair"}})
CALENDARS = {7: OFFICE}
HOUR = timedelta(hours=1)
REPAIR = {"id": "repair", "kind": "task", "name": "Repair it", "stage": "shop", "assign": {"team": "it"}}
WORKFLOW = compile_document(line_document("mend", REPAIR) | {"stages": [{"id": "shop", "name": "In the workshop"}]})


def bar_of(*events: tuple[str, float], hours: float, **target: Any) -> Bar:
    """The bar, so many hours after Monday 08:00, of a clock that may count 20 office hours from then."""
    durations = {one: {"business_seconds": 72_000} for one in ("critical", "high", "medium", "low")}
    stated = {"id": "fix", "metric": "resolution", "calendar": "office", "durations": durations, **target}
    parsed = parse_policy({"targets": [stated]}).targets[0]
    pins = {"sla": 1, "calendars": {"office": 7}}
    told = [ClockEvent(type="request.submitted", at=MONDAY, data={"priority": "medium", "pins": pins})]
    told += [ClockEvent(type=f"request.{name}", at=MONDAY + after * HOUR, data={}) for name, after in events]
    until = MONDAY + hours * HOUR
    reading = replay(parsed, CALENDARS, told, until)
    ahead = clock.ahead(reading, parsed, CALENDARS, until)
    row = SlaClock(metric=parsed.metric, target="fix", policy=SlaPolicyVersion(key="standard", n=2))
    explained = Explained(clock=row, target=parsed, reading=reading, until=until)
    return clock_bars.bar_of(explained, ahead, {7: "office, version 3"}, WORKFLOW)


def drawn(bar: Bar) -> list[tuple[str, float, float]]:
    return [(one.kind, one.x, one.width) for one in bar.stretches]


def parts(bar: Bar) -> list[tuple[str, str]]:
    return [(part.name, part.length) for part in bar.parts]


def test_a_clock_that_runs_shows_what_is_still_to_count_until_it_is_due() -> None:
    bar = bar_of(hours=3)  # Monday 11:00; due on Thursday at 13:00, for Wednesday is closed
    assert (bar.due_at, bar.end, bar.live, bar.over) == (MONDAY + 77 * HOUR, MONDAY + 77 * HOUR, True, False)
    assert parts(bar) == [
        ("counted", "2 h"),
        ("still to count", "18 h"),
        ("outside working hours", "1 day 9 h"),
        ("a holiday", "1 day"),
    ]
    assert [one.why for one in bar.stretches if one.kind == "holiday"] == ["a holiday (Fair)"]
    assert (bar.mark.name, bar.mark.x, bar.mark.turned) == ("now", 3.896, False)
    assert [kind for kind, *_ in drawn(bar)][:4] == ["closed", "counted", "ahead", "closed"]
    assert (bar.rule, bar.used, bar.allowed, bar.rest) == ("20 business hours", "2 h", "20 h", "")


def test_the_stretches_lie_side_by_side_from_the_start_to_the_due_time() -> None:
    placed = drawn(bar_of(hours=3))
    ends = [x + width for _, x, width in placed]
    assert placed[0][1] == 0
    assert ends[-1] == pytest.approx(100, abs=0.01)
    assert [x for _, x, _ in placed[1:]] == pytest.approx(ends[:-1], abs=0.01)


def test_a_clock_that_is_late_ends_its_bar_where_it_was_due_and_goes_on_in_the_table() -> None:
    bar = bar_of(hours=1_000)
    assert (bar.end, bar.live, bar.over, bar.mark) == (MONDAY + 77 * HOUR, True, True, None)
    assert parts(bar)[0] == ("counted", "20 h")
    assert (bar.rows[-1].end, bar.count) == (MONDAY + 1_000 * HOUR, len(bar.rows))


def test_a_clock_that_stands_still_ends_its_bar_now_and_says_what_is_left() -> None:
    bar = bar_of(("held", 5), hours=29)
    assert (bar.due_at, bar.end, bar.rest, bar.live) == (None, MONDAY + 29 * HOUR, "16 h", False)
    assert parts(bar) == [
        ("counted", "4 h"),
        ("outside working hours", "1 h"),
        ("on hold", "1 day"),
    ]
    assert (bar.mark.name, bar.mark.x, bar.mark.turned) == ("now", 100, True)


def test_a_clock_that_was_stopped_in_time_says_when_and_its_bar_still_reaches_the_due_time() -> None:
    bar = bar_of(("completed", 4), hours=500)
    assert (bar.state, bar.stopped_at, bar.live, bar.over) == ("done in time", MONDAY + 4 * HOUR, False, True)
    assert (bar.end, bar.mark.name, bar.mark.x) == (MONDAY + 77 * HOUR, "stopped", 5.195)
    assert parts(bar) == [("counted", "3 h"), ("outside working hours", "1 h")]


def test_the_table_has_the_first_stretches_only() -> None:
    bar = bar_of(hours=10_000)
    assert (len(bar.rows), bar.rows[0].start, bar.rows[0].calendar) == (MOST_STRETCHES, MONDAY, "office, version 3")
    assert bar.count > MOST_STRETCHES


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ({}, "Solution"),
        ({"name": "All is well"}, "All is well"),
        ({"metric": "stage", "of": "shop"}, "Stage “In the workshop”"),
        ({"metric": "step", "of": "repair"}, "Step “Repair it”"),
        ({"metric": "step", "of": "gone"}, "Step “gone”"),
    ],
)
def test_a_clock_is_called_what_the_workflow_calls_its_place(target: dict[str, Any], name: str) -> None:
    stated = {"on": {"start": [{"event": "request.submitted"}]}} if target.get("metric") else {}
    assert bar_of(hours=1, **target, **stated).name == name


def test_lengths_add_up_to_the_second_wherever_the_stretches_begin() -> None:
    bar = bar_of(("held", 2.000_2), ("resumed", 2.111_3), hours=2.222_4)
    assert sum(row.seconds for row in bar.rows) == int((MONDAY + 2.222_4 * HOUR).timestamp() - MONDAY.timestamp())
    assert [row.length for row in bar.rows] == ["1 h", "1 h", "6 min 40 s", "6 min 40 s"]
    assert (bar.used, parts(bar)[0]) == ("1 h 6 min 40 s", ("counted", "1 h 6 min 40 s"))
