"""The clock: tables by hand, and folding equals replaying."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars.business_time import Calendar, between
from apps.core.errors import InvalidInput
from apps.sla.clock import (
    ClockEvent,
    ClockState,
    Crossing,
    Interval,
    Target,
    advance,
    apply,
    check,
    check_policy,
    elapsed_at,
    replay,
    start,
    targets_for,
)

HOUR = 3600
OFFICE = Calendar.from_document(
    {
        "time_zone": "Europe/Amsterdam",
        "week": {day: ["09:00-12:30", "13:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
        "holidays": {"2026-04-06": "Easter Monday"},
    }
)
RESOLUTION = Target(
    id="fix", metric="resolution", seconds=8 * HOUR, unit="business", calendar="office", warn_at=(50, 75)
)
RESPONSE = Target(id="answer", metric="response", seconds=2 * HOUR, unit="elapsed")
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
    return ClockEvent(type=f"request.{kind}", at=at(text))


def read(*events: ClockEvent, until: str, target: Target = RESOLUTION):
    return replay(target, OFFICE, events, at(until))


# ------------------------------------------------------------------------------------ states


def test_a_clock_starts_running_with_its_due_time_and_its_first_check() -> None:
    assert start(RESOLUTION, OFFICE, at("02 10:00")) == ClockState(
        target_id="fix",
        status="running",
        elapsed=0,
        running_since=at("02 10:00"),
        due_at=at("03 10:30"),
        next_check_at=at("02 14:30"),
    )


def test_each_threshold_is_crossed_once_at_its_own_instant_however_late_the_check() -> None:
    state, crossings = check(start(RESOLUTION, OFFICE, at("02 10:00")), RESOLUTION, OFFICE, at("09 12:00"))
    assert crossings == (
        Crossing(kind="warned", percent=50, at=at("02 14:30")),
        Crossing(kind="warned", percent=75, at=at("03 08:30")),
        Crossing(kind="breached", percent=None, at=at("03 10:30")),
    )
    assert (state.status, state.breached_at, state.next_check_at) == ("breached", at("03 10:30"), None)
    assert state.warned == (50, 75)
    assert check(state, RESOLUTION, OFFICE, at("10 12:00")) == (state, ())


def test_a_check_before_the_next_threshold_changes_nothing() -> None:
    state = start(RESOLUTION, OFFICE, at("02 10:00"))
    assert check(state, RESOLUTION, OFFICE, at("02 14:29")) == (state, ())


def test_a_breach_happens_at_the_due_instant_itself() -> None:
    state = start(RESOLUTION, OFFICE, at("02 10:00"))
    assert check(state, RESOLUTION, OFFICE, state.due_at)[0].status == "breached"
    assert apply(state, RESOLUTION, OFFICE, event("completed", "03 10:30")).status == "breached"
    assert apply(state, RESOLUTION, OFFICE, event("completed", "03 10:29")).status == "met"


def test_a_target_that_ends_at_closing_time_is_due_at_closing_time() -> None:
    assert start(RESOLUTION, OFFICE, at("02 08:00")).due_at == at("03 08:30")
    assert start(RESOLUTION, OFFICE, at("02 07:00")).due_at == at("03 08:30")
    seven_and_a_half = Target(id="fix", metric="resolution", seconds=27000, unit="business")
    assert start(seven_and_a_half, OFFICE, at("02 08:00")).due_at == at("02 16:00")


def test_a_hold_stands_the_clock_still_and_moves_the_due_time() -> None:
    held = apply(start(RESOLUTION, OFFICE, at("02 10:00")), RESOLUTION, OFFICE, event("held", "02 11:00"))
    assert (held.status, held.elapsed, held.running_since) == ("paused", HOUR, None)
    assert (held.due_at, held.next_check_at) == (None, None)
    resumed = apply(held, RESOLUTION, OFFICE, event("resumed", "04 08:00"))
    assert (resumed.status, resumed.elapsed, resumed.running_since) == ("running", HOUR, at("04 08:00"))
    assert (resumed.next_check_at, resumed.due_at) == (at("04 11:00"), at("04 15:30"))


def test_a_policy_that_does_not_pause_on_hold_lets_the_clock_run() -> None:
    target = targets_for({**POLICY, "pause_on_hold": False}, "low")[0]
    state = start(target, None, at("02 10:00"))
    assert apply(state, target, None, event("held", "02 11:00")) == state


def test_a_breached_clock_keeps_counting_until_it_stops_and_stays_breached() -> None:
    events = [event("submitted", "02 10:00"), event("held", "03 11:00"), event("resumed", "03 15:00")]
    assert read(*events, until="03 15:30").elapsed == 9 * HOUR
    stopped = read(*events, event("completed", "04 09:00"), until="06 12:00")
    assert (stopped.status, stopped.elapsed, stopped.due_at) == ("breached", 10.5 * HOUR, at("03 10:30"))


def test_a_response_stops_at_the_first_response_and_ignores_what_follows() -> None:
    events = [event("submitted", "02 10:00"), event("first_response", "02 11:00"), event("first_response", "02 15:00")]
    reading = read(*events, event("reopened", "02 16:00"), until="03 10:00", target=RESPONSE)
    assert (reading.status, reading.elapsed, reading.due_at) == ("met", HOUR, at("02 12:00"))


def test_a_cancelled_request_voids_its_clock_unless_that_was_breached() -> None:
    begin = event("submitted", "02 10:00")
    assert read(begin, event("cancelled", "02 11:00"), until="03 10:00").status == "void"
    assert read(begin, event("cancelled", "04 11:00"), until="05 10:00").status == "breached"


def test_reopening_restarts_the_resolution_from_zero() -> None:
    events = [event("submitted", "02 10:00"), event("completed", "02 11:00"), event("reopened", "03 08:00")]
    reading = read(*events, until="03 10:00")
    assert (reading.status, reading.elapsed, reading.due_at) == ("running", 2 * HOUR, at("04 08:30"))
    assert reading.intervals == (Interval(start=at("03 08:00"), end=at("03 10:00"), counted=True, why="running"),)


def test_advance_tells_what_fell_due_before_the_event() -> None:
    state, crossings = advance(start(RESOLUTION, OFFICE, at("02 10:00")), RESOLUTION, OFFICE, event("held", "02 15:00"))
    assert crossings == (Crossing(kind="warned", percent=50, at=at("02 14:30")),)
    assert (state.status, state.elapsed, state.warned) == ("paused", 4.5 * HOUR, (50,))


def test_events_that_do_not_fit_are_passed_over() -> None:
    state = start(RESOLUTION, OFFICE, at("02 10:00"))
    for kind in ("submitted", "resumed", "reopened", "commented", "first_response"):
        assert apply(state, RESOLUTION, OFFICE, event(kind, "02 10:30")) == state


# ------------------------------------------------------------------------------------ replay


def test_the_intervals_explain_every_minute() -> None:
    def april(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-04-{text}+00:00")

    events = [
        ClockEvent(type="request.submitted", at=april("03 14:00")),
        ClockEvent(type="request.held", at=april("07 08:00")),
    ]
    reading = replay(RESOLUTION, OFFICE, events, april("07 09:00"))
    assert [(i.why, i.counted, i.start, i.end) for i in reading.intervals] == [
        ("running", True, april("03 14:00"), april("03 15:00")),
        ("closed", False, april("03 15:00"), april("05 22:00")),
        ("holiday", False, april("05 22:00"), april("06 22:00")),
        ("closed", False, april("06 22:00"), april("07 07:00")),
        ("running", True, april("07 07:00"), april("07 08:00")),
        ("paused", False, april("07 08:00"), april("07 09:00")),
    ]
    assert (reading.status, reading.elapsed) == ("paused", 2 * HOUR)


def test_later_events_are_left_out() -> None:
    events = [event("submitted", "02 10:00"), event("completed", "02 11:00")]
    assert read(*events, until="02 10:30").status == "running"


def test_a_clock_that_nothing_started_has_no_reading() -> None:
    with pytest.raises(InvalidInput, match="started"):
        read(event("held", "02 10:00"), until="03 10:00")


def test_events_out_of_order_are_refused() -> None:
    with pytest.raises(InvalidInput, match="order"):
        read(event("submitted", "02 10:00"), event("held", "02 09:00"), until="03 10:00")


def test_business_time_without_a_calendar_is_refused() -> None:
    with pytest.raises(InvalidInput, match="calendar"):
        start(RESOLUTION, None, at("02 10:00"))


KINDS = ["held", "resumed", "completed", "rejected", "cancelled", "reopened", "first_response", "commented"]
BEGIN = datetime(2026, 3, 26, 9, tzinfo=UTC)


@st.composite
def stories(draw: st.DrawFn) -> list[ClockEvent]:
    minutes = sorted(draw(st.lists(st.integers(0, 12 * 1440), max_size=10)))
    kinds = [draw(st.sampled_from(KINDS[: draw(st.sampled_from([2, 8]))])) for _ in minutes]
    later = [
        ClockEvent(type=f"request.{kind}", at=BEGIN + timedelta(minutes=minute))
        for kind, minute in zip(kinds, minutes, strict=True)
    ]
    return [ClockEvent(type="request.submitted", at=BEGIN), *later]


def folded(target: Target, events: list[ClockEvent], sweeps: list[datetime], until: datetime) -> tuple:
    """The stored clock: started, swept now and then, moved by events; with all it crossed on the way."""
    state, crossed = start(target, OFFICE, events[0].at), []
    moves = [(e.at, 1, e) for e in events[1:] if e.at <= until] + [(s, 0, None) for s in sweeps if BEGIN <= s <= until]
    for moment, _, move in [*sorted(moves, key=lambda item: item[:2]), (until, 2, None)]:
        stopped = state.stopped_at
        state, crossings = advance(state, target, OFFICE, move) if move else check(state, target, OFFICE, moment)
        crossed = [] if stopped and not state.stopped_at else [*crossed, *crossings]
    return state, crossed


def naive_elapsed(target: Target, events: list[ClockEvent], until: datetime) -> float:
    """Seconds counted since the last restart, by a switch that events turn on and off."""
    total, on, over, since = 0.0, True, False, BEGIN
    for e in [*events[1:], ClockEvent(type="", at=until)]:
        moment = min(e.at, until)
        if on:
            seconds = (moment - since).total_seconds()
            total += seconds if target.unit == "elapsed" else between(OFFICE, since, moment)
        since = moment
        if e.at > until:
            break
        kind = e.type.removeprefix("request.")
        ends = {"completed", "rejected", "cancelled"} | ({"first_response"} if target.metric == "response" else set())
        if kind == "reopened" and over and target.metric == "resolution":
            total, on, over = 0.0, True, False
        elif kind in ends:
            on, over = False, True
        elif kind in ("held", "resumed") and not over:
            on = kind == "resumed"
    return total


@settings(max_examples=50, deadline=None)
@given(
    target=st.sampled_from([RESOLUTION, RESPONSE]),
    events=stories(),
    sweeps=st.lists(st.integers(0, 12 * 1440).map(lambda n: BEGIN + timedelta(minutes=n)), max_size=5),
    until=st.integers(0, 13 * 1440).map(lambda n: BEGIN + timedelta(minutes=n)),
)
def test_folding_equals_replaying(
    target: Target, events: list[ClockEvent], sweeps: list[datetime], until: datetime
) -> None:
    state, crossed = folded(target, events, sweeps, until)
    reading = replay(target, OFFICE, events, until)
    assert (reading.status, reading.due_at) == (state.status, state.due_at)
    assert reading.elapsed == elapsed_at(state, target, OFFICE, until) == naive_elapsed(target, events, until)
    assert (state, crossed) == folded(target, events, [], until)
    assert len({(c.kind, c.percent) for c in crossed}) == len(crossed)


@settings(max_examples=50, deadline=None)
@given(target=st.sampled_from([RESOLUTION, RESPONSE]), events=stories(), minutes=st.integers(0, 13 * 1440))
def test_intervals_have_no_gap_and_the_counted_ones_sum_to_elapsed(
    target: Target, events: list[ClockEvent], minutes: int
) -> None:
    reading = replay(target, OFFICE, events, BEGIN + timedelta(minutes=minutes))
    counted = [i.end - i.start for i in reading.intervals if i.counted]
    assert sum(counted, timedelta()).total_seconds() == reading.elapsed
    assert all(a.end == b.start for a, b in zip(reading.intervals, reading.intervals[1:], strict=False))
    assert all(i.start < i.end for i in reading.intervals)


# ------------------------------------------------------------------------------------ policies


def test_a_policy_gives_the_targets_of_a_priority() -> None:
    assert check_policy(POLICY) == {}
    assert targets_for(POLICY, "high") == (
        Target(id="response", metric="response", seconds=7200, unit="business", calendar="office", warn_at=(50, 75)),
    )
    assert targets_for(POLICY, "low")[0].unit == "elapsed"


def test_an_unknown_priority_is_refused() -> None:
    with pytest.raises(InvalidInput, match="priority"):
        targets_for(POLICY, "urgent")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ([], "nonsense", "policy"),
        (["colour"], "red", "colour"),
        (["pause_on_hold"], "yes", "pause_on_hold"),
        (["targets"], [], "targets"),
        (["targets", 0], 7, "targets.0"),
        (["targets", 0, "colour"], "red", "targets.0.colour"),
        (["targets", 0, "id"], "No id", "targets.0.id"),
        (["targets", 0, "metric"], "speed", "targets.0.metric"),
        (["targets", 0, "metric"], "stage", "targets.0.metric"),
        (["targets", 0, "metric"], ["response"], "targets.0.metric"),
        (["targets", 0, "calendar"], None, "targets.0.calendar"),
        (["targets", 0, "warn_at"], [0], "targets.0.warn_at"),
        (["targets", 0, "warn_at"], [100], "targets.0.warn_at"),
        (["targets", 0, "warn_at"], [50, 50], "targets.0.warn_at"),
        (["targets", 0, "warn_at"], ["50"], "targets.0.warn_at"),
        (["targets", 0, "durations"], None, "targets.0.durations"),
        (["targets", 0, "durations", "urgent"], {"seconds": 1}, "targets.0.durations.urgent"),
        (["targets", 0, "durations", "low"], None, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": -1}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": True}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": 1.5}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": 10**12}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"days": 1}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": 1, "business_seconds": 1}, "targets.0.durations.low"),
    ],
)
def test_what_a_policy_may_not_say_is_a_problem_of_its_field(path: list, value: object, field: str) -> None:
    document = deepcopy(POLICY)
    place: object = document
    for key in path[:-1]:
        place = place[key]
    if path:
        place[path[-1]] = value
    else:
        document = value
    assert list(check_policy(document)) == [field]


def test_two_targets_with_one_id_and_a_missing_calendar_are_problems() -> None:
    target = {key: value for key, value in POLICY["targets"][0].items() if key != "calendar"}
    problems = check_policy({"targets": [*POLICY["targets"], target]})
    assert list(problems) == ["targets.1.id", "targets.1.calendar"]
