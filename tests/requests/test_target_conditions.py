"""What a condition asks of an event that does not carry it is refused, and the near name is given."""

from __future__ import annotations

import pytest

from apps.requests.services.target_conditions import condition_problems, named_in_conditions, where_problems

LISTED = "approval, step, level, seat, for, verdict, counted"
GOOD = [
    ("comment.added", "event.internal == false"),
    ("comment.added", "has(event.step) && event.step == 'triage'"),
    ("comment.added", "event['internal']"),
    ("request.submitted", "event.priority in ['critical', 'high']"),
    ("request.submitted", "event.priority.startsWith('c') || event.pins.form > 3"),
    ("request.submitted", "event.pins.calendars['office'] == 7"),
    ("request.owner_changed", "event.assignee == null && event.team != ''"),
    ("request.fields_set", "event.fields.exists(name, name == 'cost')"),
    ("request.fields_set", "'cost' in event.fields"),
    ("approval.ended", "event.result == 'approved' && event.step == 'board'"),
    ("task.completed", "event.outcome == 'whatever the workflow says'"),
]
REFUSED = [
    (
        "approval.decided",
        "event.verdit == 'approve'",
        f"Event approval.decided has no field “verdit”; it has: {LISTED}. Did you mean “verdict”?",
    ),
    (
        "approval.decided",
        "has(event.colour)",
        f"Event approval.decided has no field “colour”; it has: {LISTED}.",
    ),
    (
        "request.held",
        "event.reason == 'supplier'",
        "Event request.held has no field “reason”; it has none; a text that people write is no field.",
    ),
    (
        "request.submitted",
        "event['priorty'] == 'high'",
        "Event request.submitted has no field “priorty”; it has: priority, pins. Did you mean “priority”?",
    ),
    (
        "request.submitted",
        "event.pins.slaa == 1",
        "pins of event request.submitted has no field “pins.slaa”;"
        " it has: form, workflow, requester_calendar, sla, calendars, policies, forms. Did you mean “sla”?",
    ),
    ("comment.added", "event.note == 3", None),
    (
        "request.submitted",
        "event.priority == 'urgent'",
        "event.priority is never 'urgent': it is one of critical, high, low, medium.",
    ),
    (
        "request.priority_changed",
        "event.was in ['low', 'hihg']",
        "event.was is never 'hihg': it is one of critical, high, low, medium. Did you mean “high”?",
    ),
    ("request.completed", "'rejected' != event.outcome", "event.outcome is never 'rejected': it is one of completed."),
    (
        "comment.added",
        "event.internal == 'no'",
        'event.internal is a bool and "no" is a string: they are never equal.',
    ),
    (
        "incident.opened",
        "event.kind == 'dead_letter'",
        "event.kind is never 'dead_letter': it is one of approval_without_approver, escalation, guard,"
        " separation_of_duties, task_without_assignee, workflow.",
    ),
    ("request.fields_set", "event.fields > 2", "event.fields is a list and 2 is an int: > does not take them."),
]
EVENTS = [
    ("request.hold", "There is no event 'request.hold'. Did you mean “request.held”?"),
    ("requst.held", "There is no event 'requst.held'. Did you mean “request.held”?"),
    ("wait.over", "There is no event 'wait.over'. Of wait there are: opened, done, withdrawn."),
    ("moon.risen", "There is no event 'moon.risen'."),
    ("sla.breached", "No clock hears of sla.breached: no clock follows another one."),
    ("request.edited", "No clock hears of request.edited: it comes before a request is submitted."),
    ("workflow.published", "No clock hears of workflow.published: it is told of a workflow, not of a request."),
    ("delegation.ended", "No clock hears of delegation.ended: it is told of a person, not of a request."),
]


@pytest.mark.parametrize(("event", "where"), GOOD)
def test_what_events_carry_may_be_asked(event: str, where: str):
    assert where_problems(event, where) == []


@pytest.mark.parametrize(("event", "where", "said"), REFUSED)
def test_what_an_event_never_carries_is_refused(event: str, where: str, said: str | None):
    (problem,) = where_problems(event, where)
    assert said is None or problem == said


def test_every_unknown_field_is_named():
    found = where_problems("task.claimed", "event.tsak == 1 && event.who == 2")
    assert [said.partition(";")[0] for said in found] == [
        "Event task.claimed has no field “tsak”",
        "Event task.claimed has no field “who”",
    ]


@pytest.mark.parametrize(("event", "said"), EVENTS)
def test_an_event_that_no_clock_hears_is_refused(event: str, said: str):
    document = {"targets": [{"on": {"stop": [{"event": "request.completed"}, {"event": event, "where": "x"}]}}]}
    assert condition_problems(document) == {"targets.0.on.stop.1.event": [said]}


def test_a_problem_has_its_place():
    good = {"event": "comment.added", "where": "event.internal"}
    document = {"targets": [{}, {"on": {"pause": [good], "resume": [good, {**good, "where": "event.intern"}]}}]}
    assert list(condition_problems(document)) == ["targets.1.on.resume.1.where"]


def test_stages_and_steps_that_are_asked_for_are_named():
    asked = [
        {"event": "task.claimed", "where": "event.step == 'triage'"},
        {"event": "token.moved", "where": "event.source in ['a', 'b']"},
        {"event": "request.stage_entered", "where": "event.stage == 'work' && event.was != 'plan'"},
        {"event": "request.priority_changed", "where": "event.was == 'low'"},
        {"event": "request.completed"},
    ]
    found = [(sort, name) for _, sort, name in named_in_conditions({"targets": [{"on": {"reset": asked}}]})]
    assert found == [("step", "triage"), ("step", "a"), ("step", "b"), ("stage", "work"), ("stage", "plan")]
