"""One clock: its states by hand, its units, its warnings and escalations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from apps.sla.clock import (
    ClockState,
    Crossing,
    Duration,
    Escalation,
    Interval,
    advance,
    check,
    dropped,
    parse_policy,
    start,
)
from tests.sla.clocks import (
    BOTH,
    CALENDARS,
    CONTEXT,
    HOUR,
    POLICY,
    RESOLUTION,
    RESPONSE,
    apply,
    at,
    event,
    read,
    target,
)


def test_a_clock_starts_running_with_its_due_time_and_its_first_check() -> None:
    assert start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00")) == ClockState(
        target_id="fix",
        status="running",
        priority="medium",
        calendar=1,
        started_at=at("02 10:00"),
        allowed=8 * HOUR,
        elapsed=0,
        running_since=at("02 10:00"),
        due_at=at("03 10:30"),
        next_check_at=at("02 14:30"),
    )


def test_each_threshold_is_crossed_once_at_its_own_instant_however_late_the_check() -> None:
    state, crossings = check(
        start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00")), RESOLUTION, CALENDARS, at("09 12:00")
    )
    assert crossings == (
        Crossing(kind="warned", percent=50, at=at("02 14:30")),
        Crossing(kind="warned", percent=75, at=at("03 08:30")),
        Crossing(kind="breached", percent=None, at=at("03 10:30")),
    )
    assert (state.status, state.breached_at, state.next_check_at) == ("breached", at("03 10:30"), None)
    assert state.warned == (50, 75)
    assert check(state, RESOLUTION, CALENDARS, at("10 12:00")) == (state, ())


def test_a_check_before_the_next_threshold_changes_nothing() -> None:
    state = start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00"))
    assert check(state, RESOLUTION, CALENDARS, at("02 14:29")) == (state, ())


def test_a_breach_happens_at_the_due_instant_itself() -> None:
    state = start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00"))
    assert check(state, RESOLUTION, CALENDARS, state.due_at)[0].status == "breached"
    assert apply(state, RESOLUTION, event("completed", "03 10:30")).status == "breached"
    assert apply(state, RESOLUTION, event("completed", "03 10:29")).status == "met"


def test_a_target_that_ends_at_closing_time_is_due_at_closing_time() -> None:
    assert start(RESOLUTION, CONTEXT, CALENDARS, at("02 08:00")).due_at == at("03 08:30")
    assert start(RESOLUTION, CONTEXT, CALENDARS, at("02 07:00")).due_at == at("03 08:30")
    seven_and_a_half = target("resolution", Duration(n=27000, unit="business"), calendar="office")
    assert start(seven_and_a_half, CONTEXT, CALENDARS, at("02 08:00")).due_at == at("02 16:00")


def test_a_hold_stands_the_clock_still_and_moves_the_due_time() -> None:
    held = apply(start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00")), RESOLUTION, event("held", "02 11:00"))
    assert (held.status, held.elapsed, held.running_since) == ("paused", HOUR, None)
    assert (held.due_at, held.next_check_at) == (None, None)
    resumed = apply(held, RESOLUTION, event("resumed", "04 08:00"))
    assert (resumed.status, resumed.elapsed, resumed.running_since) == ("running", HOUR, at("04 08:00"))
    assert (resumed.next_check_at, resumed.due_at) == (at("04 11:00"), at("04 15:30"))


def test_a_policy_that_does_not_pause_on_hold_lets_the_clock_run() -> None:
    target = parse_policy({**POLICY, "pause_on_hold": False}).targets[0]
    state = start(target, CONTEXT, CALENDARS, at("02 10:00"))
    assert apply(state, target, event("held", "02 11:00")) == state


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


def test_a_target_is_reached_in_time_or_late_but_not_by_giving_it_up() -> None:
    begin, stops = event("submitted", "02 10:00"), {"completed": True, "rejected": True, "cancelled": False}
    for end, reached in stops.items():
        for day in ("02", "04"):
            assert read(begin, event(end, f"{day} 11:00"), until="05 10:00").state.reached is reached, (end, day)
    late = apply(start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00")), RESOLUTION, event("held", "04 11:00"))
    given_up = dropped(late, RESOLUTION, CALENDARS, at("04 12:00"))
    assert [(one.status, one.is_live, one.reached) for one in (late, given_up)] == [
        ("breached", True, False),
        ("breached", False, False),
    ]


def test_reopening_restarts_the_resolution_from_zero() -> None:
    events = [event("submitted", "02 10:00"), event("completed", "02 11:00"), event("reopened", "03 08:00")]
    reading = read(*events, until="03 10:00")
    assert (reading.status, reading.elapsed, reading.due_at) == ("running", 2 * HOUR, at("04 08:30"))
    assert reading.intervals == (
        Interval(start=at("03 08:00"), end=at("03 10:00"), counted=True, why="running", calendar=1),
    )


def test_advance_tells_what_fell_due_before_the_event() -> None:
    state, crossings = advance(
        start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00")), RESOLUTION, CONTEXT, CALENDARS, event("held", "02 15:00")
    )
    assert crossings == (Crossing(kind="warned", percent=50, at=at("02 14:30")),)
    assert (state.status, state.elapsed, state.warned) == ("paused", 4.5 * HOUR, (50,))


def test_events_that_do_not_fit_are_passed_over() -> None:
    state = start(RESOLUTION, CONTEXT, CALENDARS, at("02 10:00"))
    for kind in ("submitted", "resumed", "reopened", "commented", "first_response"):
        assert apply(state, RESOLUTION, event(kind, "02 10:30")) == state


def test_business_days_and_calendar_days_are_units_of_their_own() -> None:
    business = target("resolution", Duration(n=2, unit="business_days"), calendar="office")
    calendar = target("resolution", Duration(n=2, unit="calendar_days"), calendar="office")
    friday = at("06 10:00")
    assert start(business, CONTEXT, BOTH, friday).due_at == at("10 10:00")
    assert start(calendar, CONTEXT, BOTH, friday).due_at == at("08 10:00")
    summer = datetime.fromisoformat("2026-03-28T10:00:00+00:00")  # 11:00 in Amsterdam, clocks change on the 29th
    assert start(calendar, CONTEXT, BOTH, summer).due_at == datetime.fromisoformat("2026-03-30T09:00:00+00:00")


def test_an_escalation_comes_at_its_per_cent_and_some_time_after_the_breach_once_each() -> None:
    lead = Escalation(id="lead", do="notify", at=75)
    boss = Escalation(id="boss", do="reassign", after_breach=1800)
    escalated = replace(RESPONSE, escalations=(lead, boss))
    state, crossings = check(start(escalated, CONTEXT, BOTH, at("02 10:00")), escalated, BOTH, at("02 13:00"))
    assert [(one.kind, one.escalation and one.escalation.id, one.at) for one in crossings] == [
        ("escalated", "lead", at("02 11:30")),
        ("breached", None, at("02 12:00")),
        ("escalated", "boss", at("02 12:30")),
    ]
    assert (state.escalated, state.next_check_at) == (("lead", "boss"), None)
