"""Targets in business days fall due when `add_days` says: at an opening too, not at the closing before it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars.business_time import Calendar, add_days
from apps.sla.clock import Duration, Escalation, check, replay, start
from tests.sla.clocks import BOTH, CALENDARS, CONTEXT, HOUR, OFFICE, at, event, target, told

TWO_DAYS = target("resolution", Duration(n=2, unit="business_days"), calendar="office", warn_at=(50, 100))
BEFORE_OPENING = event("submitted", "06 04:46")  # a Friday
OPENING = at("10 08:00")  # two business days on, a Tuesday


@settings(max_examples=100)
@given(days=st.integers(1, 12), minutes=st.integers(0, 40 * 1440))
def test_what_nothing_stops_is_due_so_many_business_days_on(days: int, minutes: int) -> None:
    begun = at("02 00:00") + timedelta(minutes=minutes)
    by_days = target("resolution", Duration(n=days, unit="business_days"), calendar="office")
    assert start(by_days, CONTEXT, CALENDARS, begun).due_at == add_days(OFFICE, begun, days)


@pytest.mark.parametrize(("done", "status"), [("09 16:00", "met"), ("10 07:59", "met"), ("10 08:00", "breached")])
def test_until_the_opening_it_is_in_time(done: str, status: str) -> None:
    reading = replay(TWO_DAYS, CALENDARS, [BEFORE_OPENING, event("completed", done)], at(done))
    assert (reading.status, reading.elapsed, reading.due_at) == (status, 15 * HOUR, OPENING)


def test_the_whole_of_it_is_reached_at_one_instant() -> None:
    late = Escalation(id="late", do="notify", after_breach=600)
    escalated = replace(TWO_DAYS, escalations=(late,))
    _, crossings = check(start(escalated, CONTEXT, CALENDARS, BEFORE_OPENING.at), escalated, CALENDARS, at("10 12:00"))
    assert [(one.kind, one.percent, one.at) for one in crossings] == [
        ("warned", 50, at("06 16:00")),
        ("breached", None, OPENING),
        ("warned", 100, OPENING),
        ("escalated", None, OPENING + timedelta(minutes=10)),
    ]


@given(microseconds=st.integers(0, 86_400_000_000))
def test_all_of_it_is_warned_of_with_the_breach_whatever_the_fraction(microseconds: int) -> None:
    whole = Escalation(id="whole", do="notify", at=100)
    escalated = replace(TWO_DAYS, escalations=(whole,))
    begun = at("05 22:00") + timedelta(microseconds=microseconds)
    state = start(escalated, CONTEXT, CALENDARS, begun)
    _, crossings = check(state, escalated, CALENDARS, at("12 12:00"))
    assert [(one.kind, one.at) for one in crossings[1:]] == [
        (kind, state.due_at) for kind in ("breached", "warned", "escalated")
    ]


@pytest.mark.parametrize(("begun", "due"), [("07 08:00", "09 08:00"), ("06 18:00", "09 08:00")])
def test_days_are_those_of_the_calendar_of_whoever_has_it_from_the_start(begun: str, due: str) -> None:
    day = target("resolution", Duration(n=1, unit="business_days"), calendar="office", follows="team")
    week = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat")}
    saturdays = Calendar.from_document({"time_zone": "Europe/Amsterdam", "week": week})
    submitted = told("submitted", at(begun))
    given_to = told("owner_changed", at(begun), team="it", team_calendar=3)
    reading = replay(day, {1: OFFICE, 3: saturdays}, [submitted, given_to], at(begun))
    assert (reading.status, reading.due_at) == ("running", at(due))


@pytest.mark.parametrize(
    ("held", "resumed", "due"),
    [("09 18:00", "10 07:00", "10 08:00"), ("09 15:00", "10 09:00", "10 10:00"), ("09 18:00", "10 09:00", "10 09:00")],
    ids=["at night", "over the opening", "all its time counted"],
)
def test_a_pause_moves_it_by_the_open_time_it_took(held: str, resumed: str, due: str) -> None:
    events = [BEFORE_OPENING, event("held", held), event("resumed", resumed)]
    assert replay(TWO_DAYS, CALENDARS, events, at(resumed)).due_at == at(due)
    assert replay(TWO_DAYS, CALENDARS, events, at("11 08:00")).state.breached_at == at(due)


def test_an_event_in_the_night_before_does_not_make_it_late() -> None:
    taken = told("owner_changed", at("10 05:00"), team="it")
    reading = replay(TWO_DAYS, BOTH, [BEFORE_OPENING, taken], at("10 05:00"))
    assert (reading.status, reading.elapsed, reading.due_at) == ("running", 15 * HOUR, OPENING)
    raised = told("priority_changed", at("10 05:00"), priority="high", was="medium")
    assert replay(TWO_DAYS, BOTH, [BEFORE_OPENING, raised], at("10 07:59")).status == "running"
    assert replay(TWO_DAYS, BOTH, [BEFORE_OPENING, raised], at("10 08:00")).due_at == OPENING
