"""What changes while a clock runs: priority, holder, calendar, and policy (a rebase)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.core.errors import InvalidInput
from apps.sla.clock import (
    ClockEvent,
    Duration,
    latest,
    replay,
)
from tests.sla.clocks import BOTH, HOUR, RESOLUTION, at, event, target, told

OLA = target("resolution", Duration(n=4 * HOUR, unit="business"), id="ola", calendar="office", team="it")
OWNERS = target(
    "resolution", Duration(n=8 * HOUR, unit="business"), id="own", calendar="office", follows="owner", warn_at=(50,)
)
BY_PRIORITY = replace(
    RESOLUTION,
    durations={**RESOLUTION.durations, "high": Duration(n=2 * HOUR, unit="business")},
)


def test_a_higher_priority_measures_what_was_counted_by_its_own_duration() -> None:
    raised = told("priority_changed", at("02 11:00"), priority="high", was="medium")
    reading = replay(BY_PRIORITY, BOTH, [event("submitted", "02 10:00"), raised], at("02 11:15"))
    assert (reading.status, reading.due_at) == ("running", at("02 12:30"))
    assert (reading.elapsed, reading.state.warned) == (75 * 60, (50,))


def test_a_priority_whose_time_is_already_over_breaches_at_the_change() -> None:
    raised = told("priority_changed", at("02 15:00"), priority="high", was="medium")
    reading = replay(BY_PRIORITY, BOTH, [event("submitted", "02 10:00"), raised], at("02 15:00"))
    assert (reading.status, reading.due_at) == ("breached", at("02 15:00"))


def test_an_ola_counts_only_while_its_team_holds_the_request() -> None:
    events = [
        event("submitted", "02 10:00"),
        told("owner_changed", at("02 11:00"), team="it"),
        told("owner_changed", at("02 13:00"), team="finance"),
        told("owner_changed", at("03 08:00"), team="it"),
    ]
    reading = replay(OLA, BOTH, events, at("03 09:00"))
    assert (reading.status, reading.elapsed) == ("running", 2.5 * HOUR)
    assert [(one.why, one.counted) for one in reading.intervals] == [
        ("other team", False), ("running", True), ("closed", False), ("running", True), ("other team", False),
        ("running", True),
    ]  # fmt: skip


def test_a_clock_that_follows_the_owner_counts_by_the_calendar_of_whoever_holds_the_request() -> None:
    events = [event("submitted", "02 14:00"), told("owner_changed", at("02 15:00"), calendar=2, team="it")]
    reading = replay(OWNERS, BOTH, events, at("02 20:00"))
    assert (reading.elapsed, reading.due_at) == (6 * HOUR, at("02 22:00"))
    assert [(one.calendar, one.counted) for one in reading.intervals] == [(1, True), (2, True)]


def test_a_hold_and_another_team_must_both_be_over_before_it_counts_again() -> None:
    events = [
        event("submitted", "02 10:00"),
        told("owner_changed", at("02 10:00"), team="it"),
        event("held", "02 10:30"),
        told("owner_changed", at("02 11:00"), team="finance"),
        event("resumed", "02 12:30"),
    ]
    assert replay(OLA, BOTH, events, at("02 13:00")).status == "paused"
    back = told("owner_changed", at("02 13:00"), team="it")
    reading = replay(OLA, BOTH, [*events, back], at("02 13:30"))
    assert (reading.status, reading.elapsed) == ("running", HOUR)


def rebased(text: str, **data: object) -> ClockEvent:
    return told("sla.rebased", at(text), **data)


def test_a_rebase_counts_by_the_new_calendar_from_then_on_or_from_the_beginning() -> None:
    begin = event("submitted", "02 14:00")
    later = replay(RESOLUTION, BOTH, [begin, rebased("02 20:00", replaces={"1": 2})], at("02 22:00"))
    assert (later.elapsed, later.due_at) == (4 * HOUR, at("03 02:00"))
    anew = rebased("02 20:00", replaces={"1": 2}, retroactive=True)
    whole = replay(RESOLUTION, BOTH, [begin, anew], at("02 21:00"))
    assert (whole.elapsed, whole.due_at, whole.state.calendar) == (7 * HOUR, at("02 22:00"), 2)


def test_a_clock_that_never_started_is_none_and_events_out_of_order_are_refused() -> None:
    begin, held = event("submitted", "02 14:00"), event("held", "02 15:00")
    assert latest(RESOLUTION, BOTH, [held], at("02 16:00")) is None
    assert latest(RESOLUTION, BOTH, [begin, held], at("02 16:00")) == (
        replay(RESOLUTION, BOTH, [begin, held], at("02 16:00")).state
    )
    for events in ([held, begin], [event("commented", "02 15:00"), held, begin]):
        with pytest.raises(InvalidInput, match="order of time"):
            latest(RESOLUTION, BOTH, events, at("02 16:00"))


def test_another_retroactive_rebase_does_not_undo_the_first() -> None:
    begin = event("submitted", "02 14:00")
    first = rebased("02 20:00", replaces={"1": 2}, retroactive=True)
    other = rebased("02 20:30", replaces={"7": 8}, retroactive=True)
    both = replay(RESOLUTION, BOTH, [begin, first, other], at("02 21:00"))
    assert both.intervals == replay(RESOLUTION, BOTH, [begin, first], at("02 21:00")).intervals
    assert (both.elapsed, both.due_at, both.state.calendar) == (7 * HOUR, at("02 22:00"), 2)


def test_what_was_told_before_a_rebase_is_not_told_again() -> None:
    done = {"fix": {"warned": [50, 75], "escalated": []}}
    event_of = rebased("02 20:00", replaces={}, retroactive=True, done=done)
    assert replay(RESOLUTION, BOTH, [event("submitted", "02 14:00"), event_of], at("02 21:00")).state.warned == (50, 75)


def test_a_target_that_the_new_policy_has_not_is_void() -> None:
    events = [event("submitted", "02 14:00"), rebased("02 15:00", policy=9)]
    reading = replay(RESOLUTION, BOTH, events, at("02 16:00"), targets={9: None})
    assert reading.status == "void"
