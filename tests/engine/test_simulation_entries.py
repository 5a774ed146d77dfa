"""The dry run: when entries take place, which cannot be applied, and how a script is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.core.errors import InvalidInput
from apps.workflows.engine.simulation import Entry, World, read_script
from tests.engine.documents import NOW, arrow, choice, document, expenses, join, single, split, task, wait
from tests.engine.dry_runs import START, codes, later, path, run, waits

# time


def test_a_timer_fires_when_the_script_passes_it_and_not_afterwards():
    source = single(wait(seconds=3600))
    early, late = (run(source, Entry(at=later(minutes=minutes))) for minutes in (59, 60))
    assert (early.ended, late.ended) == (None, "completed")
    assert early.due == ({"step": "wait", "deadline": None, "at": "2026-11-23T11:00:00Z"},)
    assert waits(early) == {"wait": {"due": "2026-11-23T11:00:00Z"}}


def test_what_is_due_fires_in_order_each_at_its_own_time():
    source = document(
        [split(), wait("slow", seconds=60), wait("fast", seconds=30), join()],
        [
            arrow("start", "split"),
            arrow("split", "slow"),
            arrow("split", "fast"),
            arrow("slow", "join"),
            arrow("fast", "join"),
            arrow("join", "paid"),
        ],
    )
    trial = run(source, Entry(at=later(days=1)))
    ended = [(told["step"], told["at"]) for told in trial.path if told["event"] == "ended: done"]
    assert ended == [("fast", "2026-11-23T10:00:30Z"), ("slow", "2026-11-23T10:01:00Z")]


def test_business_time_is_asked_of_the_world():
    source = single(wait(business_seconds=60, calendar="office"))
    known = run(source, world=World(due=lambda seconds, calendar, since: since + timedelta(days=1, seconds=seconds)))
    assert known.due == ({"step": "wait", "deadline": None, "at": "2026-11-24T10:01:00Z"},)
    unknown = run(source, Entry(at=later(days=999)))
    assert (codes(unknown), unknown.due[0]["at"]) == ([("unknown_calendar", None)], None)
    assert waits(unknown) == {"wait": {"due": None}}


def test_a_deadline_that_interrupts_takes_the_token_along():
    step = task(deadlines=[{"id": "late", "after": {"seconds": 60}, "interrupt": True}])
    arrows = [arrow("start", "work"), arrow("work", "paid"), arrow("work", "no", deadline="late")]
    source = document([step], arrows)
    waiting = run(source)
    assert [told["for"] for told in waiting.waiting] == [
        {"assign": {"requester": True}, "people": ["rita"]},
        {"deadline": "late", "due": "2026-11-23T10:01:00Z"},
    ]
    late = run(source, Entry(at=later(hours=1), step="work", outcome="done"))
    assert (late.ended, codes(late)) == ("rejected", [("not_open", 0)])
    assert ("work", "overdue: late") in path(late)
    in_time = run(source, Entry(at=later(seconds=59), step="work", outcome="done"), Entry(at=later(hours=1)))
    assert (in_time.ended, in_time.waiting) == ("completed", ())


def test_an_entry_does_not_go_back_in_time():
    source = single(task())
    trial = run(source, Entry(at=later(hours=1)), Entry(at=NOW, step="work", outcome="done"))
    assert (codes(trial), trial.ended) == ([("in_the_past", 1)], None)


# entries that cannot be applied


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (Entry(step="nowhere", outcome="done"), "unknown_step"),
        (Entry(step="mend", outcome="done"), "not_open"),
        (Entry(step="big", outcome="done"), "not_open"),
        (Entry(step="review/deep", outcome="done"), "unknown_step"),
        (Entry(step="review", outcome="finished"), "unknown_outcome"),
        (Entry(step="review", message="delivered"), "unknown_message"),
        (Entry(step="pause", message="delivered"), "not_open"),
        (Entry(step="review", decision="approve", instance=3), "not_open"),
    ],
)
def test_an_entry_that_cannot_be_applied_is_told_and_the_walk_goes_on(entry, problem):
    trial = run(expenses(), entry, Entry(step="review", decision="reject"))
    assert (codes(trial), trial.ended) == ([(problem, 0)], "rejected")


def test_a_wait_is_ended_by_nobody():
    trial = run(single(wait(seconds=5)), Entry(step="wait", outcome="done"))
    assert codes(trial) == [("not_possible", 0)]


def test_a_message_with_another_key_is_lost():
    trial = run(single(wait(message="m", key="request.number")), Entry(step="wait", message="m", key="SR-2"))
    assert codes(trial) == [("lost", 0)]
    assert waits(trial) == {"wait": {"message": "m", "key": "SR-1"}}


def test_a_message_that_comes_early_is_kept_where_the_wait_says_so():
    step = wait(message="m", key="request.number", keep=True)
    source = document([task(), step], [arrow("start", "work"), arrow("work", "wait"), arrow("wait", "paid")])
    trial = run(source, Entry(step="wait", message="m"), Entry(step="work", outcome="done"))
    assert (trial.ended, ("wait", "message kept") in path(trial)) == ("completed", True)


def test_a_guard_that_fails_is_an_incident_in_path_and_problems():
    arrows = [
        arrow("start", "choice"),
        arrow("choice", "no", when="request.data.nothing > 1"),
        arrow("choice", "paid", otherwise=True),
    ]
    trial = run(document([choice()], arrows))
    assert path(trial)[-1] == ("choice", "incident")
    assert codes(trial) == [("incident", None)]
    assert "request.data.nothing > 1" in trial.problems[0].message
    assert "No such key" in waits(trial)["choice"]["incident"] or "nothing" in waits(trial)["choice"]["incident"]


# reading a script


def test_a_script_is_read():
    source = [
        {"at": "2026-11-23T10:00:00+01:00"},
        {"step": "review", "decision": "approve", "by": "mia"},
        {"at": START, "step": "work", "outcome": "done", "instance": 2, "data": {"a": 1}},
        {"step": "pause", "message": "m", "key": "k", "data": [1]},
    ]
    assert read_script(source) == (
        Entry(at=datetime(2026, 11, 23, 9, tzinfo=UTC)),
        Entry(step="review", decision="approve", by="mia"),
        Entry(at=NOW, step="work", outcome="done", instance=2, data={"a": 1}),
        Entry(step="pause", message="m", key="k", data=[1]),
    )


@pytest.mark.parametrize(
    ("source", "errors"),
    [
        ({}, {"script": ["This must be a list."]}),
        (["x"], {"script.0": ["This must be an object."]}),
        ([{}], {"script.0.step": ["Say at which step this happens."]}),
        ([{"at": START, "colour": 1}], {"script.0.colour": ["There is no such field."]}),
        ([{"at": START, "outcome": "done"}], {"script.0.step": ["Say at which step this happens."]}),
        ([{"step": "a"}], {"script.0": ["Say exactly one of outcome, message, decision and fail."]}),
        (
            [{"step": "a", "outcome": "b", "decision": "c"}],
            {"script.0": ["Say exactly one of outcome, message, decision and fail."]},
        ),
        ([{"step": 7, "outcome": "b"}], {"script.0.step": ["This must be text."]}),
        (
            [{"step": "a", "outcome": "b", "data": [1]}],
            {"script.0.data": ["This must be an object with the form's fields."]},
        ),
        ([{"step": "a", "decision": "b", "data": {}}], {"script.0.data": ["A decision brings no data."]}),
        ([{"step": "a", "outcome": "b", "key": "k"}], {"script.0.key": ["Only a message has a key."]}),
        (
            [{"step": "a", "outcome": "b", "instance": True}],
            {"script.0.instance": ["This must be a whole number, at least 0."]},
        ),
        (
            [{"at": "2026-11-23T10:00:00"}],
            {"script.0.at": ["This must be a point in time with its zone, such as 2026-11-23T10:00:00Z."]},
        ),
        ([{"at": "9999-01-01T00:00:00Z"}], {"script.0.at": ["This must be a year from 1950 to 2199."]}),
        ([{"at": START}] * 1_001, {"script": ["A script has at most 1,000 entries, this one 1,001."]}),
        ([{"step": "a", "fail": 0}], {"script.0.fail": ["This must be a whole number, from 1 to 1,000."]}),
        ([{"step": "a", "fail": True}], {"script.0.fail": ["This must be a whole number, from 1 to 1,000."]}),
        ([{"step": "a", "fail": 1, "by": "x"}], {"script.0.by": ["An action fails by nobody, and brings no data."]}),
    ],
)
def test_what_is_wrong_with_a_script_is_told_by_its_place(source, errors):
    with pytest.raises(InvalidInput) as refused:
        read_script(source)
    assert refused.value.errors == errors
