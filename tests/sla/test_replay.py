"""Replaying a clock: every minute is explained, and folding equals replaying."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars.business_time import between
from apps.core.errors import InvalidInput
from apps.sla.clock import (
    ClockEvent,
    Context,
    Target,
    advance,
    ahead,
    begins,
    check,
    elapsed_at,
    replay,
    start,
)
from tests.sla.clocks import CALENDARS, CONTEXT, HOUR, OFFICE, RESOLUTION, RESPONSE, at, event, read, told


def test_the_intervals_explain_every_minute() -> None:
    def april(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-04-{text}+00:00")

    events = [
        told("submitted", april("03 14:00")),
        told("held", april("07 08:00")),
    ]
    reading = replay(RESOLUTION, CALENDARS, events, april("07 09:00"))
    assert [(i.why, i.counted, i.start, i.end) for i in reading.intervals] == [
        ("running", True, april("03 14:00"), april("03 15:00")),
        ("closed", False, april("03 15:00"), april("05 22:00")),
        ("holiday", False, april("05 22:00"), april("06 22:00")),
        ("closed", False, april("06 22:00"), april("07 07:00")),
        ("running", True, april("07 07:00"), april("07 08:00")),
        ("paused", False, april("07 08:00"), april("07 09:00")),
    ]
    assert [i.names for i in reading.intervals if i.names] == [("Easter Monday",)]
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
        start(RESOLUTION, Context(), {}, at("02 10:00"))


KINDS = ["held", "resumed", "completed", "rejected", "cancelled", "reopened", "first_response", "commented"]
BEGIN = datetime(2026, 3, 26, 9, tzinfo=UTC)


@st.composite
def stories(draw: st.DrawFn) -> list[ClockEvent]:
    minutes = sorted(draw(st.lists(st.integers(0, 12 * 1440), max_size=10)))
    kinds = [draw(st.sampled_from(KINDS[: draw(st.sampled_from([2, 8]))])) for _ in minutes]
    later = [told(kind, BEGIN + timedelta(minutes=minute)) for kind, minute in zip(kinds, minutes, strict=True)]
    return [told("submitted", BEGIN), *later]


def folded(target: Target, events: list[ClockEvent], sweeps: list[datetime], until: datetime) -> tuple:
    """The stored clock: started, swept now and then, moved by events; with all it crossed on the way."""
    state, crossed = start(target, CONTEXT, CALENDARS, events[0].at), []
    moves = [(e.at, 1, e) for e in events[1:] if e.at <= until] + [(s, 0, None) for s in sweeps if BEGIN <= s <= until]
    for moment, _, move in [*sorted(moves, key=lambda item: item[:2]), (until, 2, None)]:
        begin = move is not None and begins(target, move, state)
        if move:
            state, crossings = advance(state, target, CONTEXT, CALENDARS, move)
        else:
            state, crossings = check(state, target, CALENDARS, moment)
        crossed = [*crossed, *crossings]
        if begin:
            state, crossed = start(target, CONTEXT, CALENDARS, moment), []
    return state, crossed


def naive_elapsed(target: Target, events: list[ClockEvent], until: datetime) -> float:
    """Seconds counted since the last restart, by a switch that events turn on and off."""
    total, on, over, since = 0.0, True, False, BEGIN
    for e in [*events[1:], ClockEvent(type="", at=until, data={})]:
        moment = min(e.at, until)
        if on:
            seconds = (moment - since).total_seconds()
            total += seconds if not target.durations["medium"].by_calendar else between(OFFICE, since, moment)
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
    reading = replay(target, CALENDARS, events, until)
    assert (reading.status, reading.due_at) == (state.status, state.due_at)
    assert reading.elapsed == elapsed_at(state, target, CALENDARS, until) == naive_elapsed(target, events, until)
    assert (state, crossed) == folded(target, events, [], until)
    assert len({(c.kind, c.percent) for c in crossed}) == len(crossed)


@settings(max_examples=50, deadline=None)
@given(target=st.sampled_from([RESOLUTION, RESPONSE]), events=stories(), minutes=st.integers(0, 13 * 1440))
def test_intervals_have_no_gap_and_the_counted_ones_sum_to_elapsed(
    target: Target, events: list[ClockEvent], minutes: int
) -> None:
    reading = replay(target, CALENDARS, events, BEGIN + timedelta(minutes=minutes))
    counted = [i.end - i.start for i in reading.intervals if i.counted]
    assert sum(counted, timedelta()).total_seconds() == reading.elapsed
    assert all(a.end == b.start for a, b in zip(reading.intervals, reading.intervals[1:], strict=False))
    assert all(i.start < i.end for i in reading.intervals)


@settings(max_examples=25, deadline=None)
@given(target=st.sampled_from([RESOLUTION, RESPONSE]), events=stories(), minutes=st.integers(0, 13 * 1440))
def test_what_is_to_come_ends_at_the_due_time_and_counts_what_is_left(
    target: Target, events: list[ClockEvent], minutes: int
) -> None:
    now = BEGIN + timedelta(minutes=minutes)
    reading = replay(target, CALENDARS, events, now)
    to_come = ahead(reading, target, CALENDARS, now)
    if reading.status != "running":
        assert to_come == ()
        return
    assert (to_come[0].start, to_come[-1].end) == (now, reading.due_at)
    counted = sum((one.end - one.start for one in to_come if one.counted), timedelta())
    assert counted.total_seconds() == reading.state.allowed - reading.elapsed
