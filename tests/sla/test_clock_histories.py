"""Random histories of a request against a clock that is counted minute by minute, and folding against replaying."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars.business_time import Calendar, is_open
from apps.sla.clock import (
    ClockEvent,
    ClockState,
    Context,
    Duration,
    Target,
    advance,
    begins,
    check,
    elapsed_at,
    replay,
    start,
)
from apps.sla.conditions import defaults

MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 3, 27, 14, tzinfo=UTC)  # a Friday; the clocks of Amsterdam change on Sunday
WEEK = ("mon", "tue", "wed", "thu", "fri")
CALENDARS = {
    1: Calendar.from_document(
        {"time_zone": "Europe/Amsterdam", "week": {day: ["09:00-12:30", "13:00-17:00"] for day in WEEK}}
    ),
    2: Calendar.from_document({"time_zone": "UTC", "week": {day: ["06:00-22:00"] for day in (*WEEK, "sat", "sun")}}),
}
PINS = {"calendars": {"office": 1}}
LEVELS = ("critical", "high", "medium", "low")


def target(unit: str, **more: str) -> Target:
    minutes = dict(zip(LEVELS, (90, 240, 480, 900), strict=True))
    durations = {level: Duration(n=60 * n, unit=unit) for level, n in minutes.items()}
    changes = defaults("resolution", "", pauses=True)
    made = Target(id="fix", metric="resolution", durations=durations, calendar="office", warn_at=(50, 80), **more)
    return replace(made, changes=MappingProxyType(changes))


TARGETS = [target("business"), target("elapsed"), target("business", follows="owner"), target("business", team="it")]


def event(kind: str, minute: int, **data: object) -> ClockEvent:
    return ClockEvent(type=kind, at=BEGIN + minute * MINUTE, data=data)


@st.composite
def histories(draw: st.DrawFn) -> list[ClockEvent]:
    """The events of a request over five days, each at a full minute."""
    moves = st.one_of(
        st.sampled_from(["request.held", "request.resumed"]).map(lambda kind: (kind, {})),
        st.sampled_from(LEVELS).map(lambda level: ("request.priority_changed", {"priority": level, "was": "medium"})),
        st.tuples(st.sampled_from(["it", "finance", ""]), st.sampled_from([None, 1, 2])).map(
            lambda holder: ("request.owner_changed", {"team": holder[0], "calendar": holder[1]})
        ),
        st.sampled_from(["request.completed", "request.cancelled", "request.reopened"]).map(lambda kind: (kind, {})),
    )
    minutes = sorted(draw(st.lists(st.integers(1, 5 * 1440), max_size=12)))
    later = [event(kind, minute, **data) for minute in minutes for kind, data in [draw(moves)]]
    return [event("request.submitted", 0, priority="medium", pins=PINS), *later]


class Naive:
    """A clock that looks at every minute."""

    def __init__(self, measured: Target) -> None:
        self.target = measured
        self.context = Context()
        self.begin()

    def begin(self) -> None:
        self.total, self.held, self.over = 0, False, False
        self.breached_at: datetime | None = None

    @property
    def duration(self) -> Duration:
        return self.target.durations[self.context.priority]

    def reach(self, at: datetime) -> None:
        if not self.over and self.breached_at is None and self.total * 60 >= self.duration.n:
            self.breached_at = at

    def hear(self, told: ClockEvent) -> None:
        kind = told.type.removeprefix("request.")
        self.context = self.context.after(told)
        if self.over:
            if kind == "reopened":
                self.begin()
            return
        if kind in ("completed", "cancelled"):
            self.over = True
        elif kind in ("held", "resumed"):
            self.held = kind == "held"
        self.reach(told.at)

    def pass_minute(self, since: datetime) -> None:
        away = self.target.team and self.context.team != self.target.team
        if self.over or self.held or away:
            return
        calendar = CALENDARS.get(self.context.calendar_of(self.target) or 0)
        if not self.duration.by_calendar or (calendar and is_open(calendar, since)):
            self.total += 1
            self.reach(since + MINUTE)


def naive(measured: Target, events: list[ClockEvent], until: datetime) -> Naive:
    clock, at, waiting = Naive(measured), BEGIN, list(events)
    while True:
        while waiting and waiting[0].at == at:
            clock.hear(waiting.pop(0))
        if at >= until:
            return clock
        clock.pass_minute(at)
        at += MINUTE


def folded(measured: Target, events: list[ClockEvent], sweeps: list[datetime], until: datetime) -> ClockState:
    """The stored clock: moved by events, swept now and then."""
    context = Context().after(events[0])
    state = start(measured, context, CALENDARS, events[0].at)
    moves = [(one.at, 1, n, one) for n, one in enumerate(events[1:]) if one.at <= until]
    moves += [(at, 0, 0, None) for at in sweeps if BEGIN <= at <= until]
    for at, _, _, told in sorted(moves, key=lambda one: one[:3]):
        if told is None:
            state, _ = check(state, measured, CALENDARS, at)
            continue
        context = context.after(told)
        anew = begins(measured, told, state)
        state, _ = advance(state, measured, context, CALENDARS, told)
        state = start(measured, context, CALENDARS, at) if anew else state
    return check(state, measured, CALENDARS, until)[0]


ends = st.integers(1, 6 * 1440).map(lambda minute: BEGIN + minute * MINUTE)


@settings(deadline=None)
@given(measured=st.sampled_from(TARGETS), events=histories(), until=ends)
def test_a_replay_agrees_with_a_clock_counted_minute_by_minute(
    measured: Target, events: list[ClockEvent], until: datetime
) -> None:
    reading, counted = replay(measured, CALENDARS, events, until), naive(measured, events, until)
    assert (reading.elapsed, reading.state.breached_at) == (counted.total * 60, counted.breached_at)
    assert (reading.status == "breached") == (counted.breached_at is not None)
    spans = [one.end - one.start for one in reading.intervals if one.counted]
    assert sum(spans, timedelta()).total_seconds() == reading.elapsed


@settings(deadline=None)
@given(measured=st.sampled_from(TARGETS), events=histories(), sweeps=st.lists(ends, max_size=5), until=ends)
def test_the_stored_clock_equals_the_replay_however_often_it_was_swept(
    measured: Target, events: list[ClockEvent], sweeps: list[datetime], until: datetime
) -> None:
    stored, reading = folded(measured, events, sweeps, until), replay(measured, CALENDARS, events, until)
    assert stored == reading.state
    assert elapsed_at(stored, measured, CALENDARS, until) == reading.elapsed


@settings(deadline=None)
@given(measured=st.sampled_from(TARGETS), events=histories(), until=ends)
def test_measuring_anew_by_the_same_rules_changes_nothing(
    measured: Target, events: list[ClockEvent], until: datetime
) -> None:
    told = [one for one in events if one.at <= until]
    before = replay(measured, CALENDARS, told, until)
    done = {"fix": {"warned": list(before.state.warned), "escalated": []}}
    rebase = ClockEvent(type="sla.rebased", at=until, data={"replaces": {}, "retroactive": True, "done": done})
    once = replay(measured, CALENDARS, [*told, rebase], until)
    twice = replay(measured, CALENDARS, [*told, rebase, rebase], until)
    assert (once.status, once.elapsed, once.due_at) == (before.status, before.elapsed, before.due_at)
    assert twice.state == once.state
