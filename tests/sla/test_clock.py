"""The clock: tables by hand, and folding equals replaying."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars.business_time import Calendar, between
from apps.core.errors import InvalidInput
from apps.sla.clock import (
    ClockEvent,
    ClockState,
    Context,
    Crossing,
    Duration,
    Escalation,
    Interval,
    Target,
    advance,
    begins,
    check,
    elapsed_at,
    parse_policy,
    replay,
    start,
)
from apps.sla.conditions import defaults
from apps.sla.policy_check import check_policy

HOUR = 3600
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = Calendar.from_document(
    {
        "time_zone": "Europe/Amsterdam",
        "week": {day: ["09:00-12:30", "13:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
        "holidays": {"2026-04-06": "Easter Monday"},
    }
)
CALENDARS = {1: OFFICE}
PINS = {"calendars": {"office": 1}}
CONTEXT = Context(calendars={"office": 1})
PRIORITIES = ("critical", "high", "medium", "low")


def target(metric: str, duration: Duration, *, pauses: bool = True, **more: object) -> Target:
    """A target with one duration for every priority."""
    durations = dict.fromkeys(PRIORITIES, duration)
    changes = defaults(metric, str(more.get("of", "")), pauses=pauses)
    return Target(id=str(more.pop("id", metric)), metric=metric, durations=durations, changes=changes, **more)


RESOLUTION = target("resolution", Duration(n=8 * HOUR, unit="business"), id="fix", calendar="office", warn_at=(50, 75))
RESPONSE = target("response", Duration(n=2 * HOUR, unit="elapsed"), id="answer")
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
    return told(kind, at(text))


def told(kind: str, moment: datetime, **data: object) -> ClockEvent:
    pins = {"pins": PINS} if kind == "submitted" else {}
    return ClockEvent(type=kind if "." in kind else f"request.{kind}", at=moment, data=pins | data)


def read(*events: ClockEvent, until: str, target: Target = RESOLUTION):
    return replay(target, CALENDARS, events, at(until))


def apply(state: ClockState, target: Target, event: ClockEvent) -> ClockState:
    return advance(state, target, CONTEXT, CALENDARS, event)[0]


# ------------------------------------------------------------------------------------ states


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


# ------------------------------------------------------------------------------------ replay


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


# ------------------------------------------------------------------------------------ priority, calendars, holders

NIGHT = Calendar.from_document({"time_zone": "UTC", "week": {day: ["00:00-24:00"] for day in DAYS}})
BOTH = {1: OFFICE, 2: NIGHT}
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


# ------------------------------------------------------------------------------------ stages, steps, resets


def test_a_stage_is_measured_while_the_request_is_in_it_and_anew_when_it_comes_back() -> None:
    stage = target("stage", Duration(n=HOUR, unit="elapsed"), of="work")
    events = [
        event("submitted", "02 10:00"),
        told("stage_entered", at("02 11:00"), stage="work", was="approval"),
        told("stage_entered", at("02 11:30"), stage="approval", was="work"),
    ]
    first = replay(stage, BOTH, events, at("02 15:00"))
    assert (first.status, first.elapsed) == ("met", 1800)
    again = told("stage_entered", at("02 15:00"), stage="work", was="approval")
    assert replay(stage, BOTH, [*events, again], at("02 15:10")).elapsed == 600


def test_a_step_of_several_tasks_ends_with_the_last_of_them() -> None:
    step = target("step", Duration(n=HOUR, unit="elapsed"), of="pack")
    events = [event("submitted", "02 10:00")]
    events += [told("task.opened", at("02 11:00"), step="pack") for _ in range(2)]
    events += [
        told("task.completed", at("02 11:10"), step="pack"),
        told("task.completed", at("02 11:20"), step="other"),
    ]
    assert replay(step, BOTH, events, at("02 11:30")).status == "running"
    done = told("task.completed", at("02 11:40"), step="pack")
    assert (replay(step, BOTH, [*events, done], at("02 12:00")).elapsed) == 40 * 60


def test_an_approval_that_is_taken_back_is_not_measured() -> None:
    approval = target("approval", Duration(n=HOUR, unit="elapsed"), of="board")
    events = [event("submitted", "02 10:00"), told("approval.opened", at("02 10:00"), step="board")]
    ended = told("approval.ended", at("02 10:30"), step="board", result="withdrawn")
    assert replay(approval, BOTH, [*events, ended], at("02 11:00")).status == "void"


def test_a_condition_reads_the_event_and_a_reset_begins_anew() -> None:
    policy = deepcopy(POLICY)
    policy["targets"][0]["on"] = {
        "reset": [{"event": "comment.added", "where": "event.internal == false"}],
        "stop": [{"event": "request.completed"}],
    }
    (talk,) = parse_policy(policy).targets
    events = [event("submitted", "02 10:00"), told("comment.added", at("02 11:00"), internal=True)]
    assert replay(talk, BOTH, events, at("02 12:30")).elapsed == 2 * HOUR
    answered = told("comment.added", at("02 12:30"), internal=False)
    reading = replay(talk, BOTH, [*events, answered], at("02 13:00"))
    assert (reading.status, reading.elapsed, reading.state.started_at) == ("running", 1800, at("02 12:30"))


# ------------------------------------------------------------------------------------ days, escalations, rebasing


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


def rebased(text: str, **data: object) -> ClockEvent:
    return told("sla.rebased", at(text), **data)


def test_a_rebase_counts_by_the_new_calendar_from_then_on_or_from_the_beginning() -> None:
    begin = event("submitted", "02 14:00")
    later = replay(RESOLUTION, BOTH, [begin, rebased("02 20:00", replaces={"1": 2})], at("02 22:00"))
    assert (later.elapsed, later.due_at) == (4 * HOUR, at("03 02:00"))
    anew = rebased("02 20:00", replaces={"1": 2}, retroactive=True)
    whole = replay(RESOLUTION, BOTH, [begin, anew], at("02 21:00"))
    assert (whole.elapsed, whole.due_at, whole.state.calendar) == (7 * HOUR, at("02 22:00"), 2)


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


# ------------------------------------------------------------------------------------ policies


def test_a_policy_gives_the_targets_of_a_priority() -> None:
    assert check_policy(POLICY) == {}
    (found,) = parse_policy(POLICY).targets
    assert (found.id, found.metric, found.calendar, found.warn_at) == ("response", "response", "office", (50, 75))
    assert found.durations["high"] == Duration(n=7200, unit="business")
    assert found.durations["low"] == Duration(n=86400, unit="elapsed")


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
        (["targets", 0, "metric"], "stage", "targets.0.of"),
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
