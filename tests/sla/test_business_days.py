"""Targets in business days fall due when `add_days` says: at an opening too, not at the closing before it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars.business_time import add_days
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
