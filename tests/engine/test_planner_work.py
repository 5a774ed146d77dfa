"""The planner at steps that are work for somebody or something: tasks, approvals, actions."""

from __future__ import annotations

from typing import Any

import pytest

from apps.workflows.engine import effects, triggers
from apps.workflows.engine.planner import TraceEntry, TraceKind
from tests.engine.documents import EXPENSES, arrow, document, single, task
from tests.engine.runs import COMMENT, Run, assert_refused

# tasks


BUTTONS = task(outcomes=[{"id": "ship", "by": {"role": "fulfiller"}, "comment": "required"}, {"id": "drop"}])
SHIPPING = document([BUTTONS], [arrow("start", "work"), arrow("work", "no", outcome="drop"), arrow("work", "paid")])


def test_an_outcome_takes_its_own_arrow_else_the_one_without_outcome():
    run = Run(SHIPPING)
    run.complete("ship")
    assert run.plan.effects == (effects.Finish(outcome="completed"),)
    run = Run(SHIPPING)
    run.complete("drop")
    assert run.plan.effects == (effects.Finish(outcome="rejected"),)


def test_a_task_is_begun_when_somebody_takes_it_up_and_only_once():
    run = Run(SHIPPING)
    assert run.told() == [("passed", "start", None), ("opened", "work", None)]
    run.send(triggers.Begin(visit=run.visit))
    assert run.told() == [("begun", "work", None)]
    run.send(triggers.Begin(visit=run.visit))
    assert run.told() == [("ignored", "work", None)]
    run.complete("ship")
    assert run.told()[0] == ("ended", "work", "ship")


def test_completing_a_task_begins_it():
    run = Run(SHIPPING)
    run.complete("drop")
    assert run.told()[:2] == [("begun", "work", None), ("ended", "work", "drop")]


def test_an_outcome_that_does_not_exist_is_refused_with_the_ones_that_do():
    run = Run(SHIPPING)
    trigger = triggers.Complete(visit=run.visit, outcome="done")
    assert_refused(run, trigger, r"Step 'work' \(visit 3\) has no outcome 'done', only ship, drop")


def test_a_persons_late_trigger_is_refused_and_changes_nothing():
    run = Run(SHIPPING)
    late = run.visit
    run.complete("ship")
    assert_refused(run, triggers.Complete(visit=late, outcome="ship"), "Visit 3 is not open")
    assert_refused(run, triggers.Begin(visit=late), "Visit 3 is not open")
    assert_refused(run, triggers.Retry(visit=late), "Visit 3 is not open")
    assert_refused(run, triggers.Cancel(), "not open")
    assert_refused(run, triggers.Start(), "already started")


@pytest.mark.parametrize(
    "trigger",
    [triggers.TimerFired(visit=3), triggers.ActionDone(visit=3), triggers.ActionFailed(visit=3, reason="no")],
)
def test_a_machines_late_trigger_is_ignored_and_traced(trigger):
    run = Run(SHIPPING)
    run.complete("ship")
    before = run.stored
    run.send(trigger)
    assert run.plan.trace == (TraceEntry(kind=TraceKind.IGNORED, visit=3),)
    assert (run.stored, run.plan.effects) == (before, ())


@pytest.mark.parametrize(
    "trigger",
    [
        triggers.TimerFired(visit=3),
        triggers.ActionDone(visit=3),
        triggers.ActionFailed(visit=3, reason="no"),
        triggers.Retry(visit=3),
    ],
)
def test_a_trigger_that_the_step_cannot_take_is_refused(trigger):
    assert_refused(Run(SHIPPING), trigger, "visit 3|Visit 3")


# approvals


@pytest.mark.parametrize("trigger", [triggers.Begin(visit=3), triggers.Complete(visit=3, outcome="expired")])
def test_an_approval_has_only_the_outcomes_of_its_policy(trigger):
    assert_refused(Run(EXPENSES), trigger, r"Step 'review' \(visit 3\)")


# actions


def test_an_action_that_fails_for_good_is_an_incident_and_retry_runs_it_again():
    run = Run(single(COMMENT))
    visit = run.visit
    run.send(triggers.ActionFailed(visit=visit, reason="no answer"))
    assert run.plan.effects == (effects.RaiseIncident(visit=visit, step="say", guard=None, reason="no answer"),)
    run.send(triggers.ActionFailed(visit=visit, reason="no answer"))
    assert (run.told(), run.plan.effects) == ([("ignored", "say", None)], ())
    run.send(triggers.Retry(visit=visit))
    assert run.plan.effects == (
        effects.RunAction(visit=visit, step="say", action="comment", settings={"text": "Hello"}),
    )
    run.send(triggers.ActionDone(visit=visit))
    assert run.plan.effects == (effects.Finish(outcome="completed"),)


def test_an_action_that_fails_takes_its_arrow_if_it_has_one():
    source = document([COMMENT], [arrow("start", "say"), arrow("say", "no", outcome="failed"), arrow("say", "paid")])
    run = Run(source)
    run.send(triggers.ActionFailed(visit=run.visit, reason="no answer"))
    assert run.plan.effects == (effects.Finish(outcome="rejected"),)


def set_fields(**fields: str) -> dict[str, Any]:
    return {"id": "set", "kind": "action", "action": "set_fields", "with": {"fields": fields}}


def test_fields_are_set_to_json_and_a_point_in_time_becomes_text():
    run = Run(single(set_fields(at="now", list="[1, 2.5]", none="null", who="visit.step")))
    (effect,) = run.plan.effects
    assert effect.settings == {
        "fields": {"at": "2026-11-23T10:00:00+00:00", "list": [1, 2.5], "none": None, "who": "set"}
    }


@pytest.mark.parametrize("expression", ["duration('1h')", "1.0 / 0.0", "b'x'", "1 / 0", "request.data.missing"])
def test_a_field_that_cannot_be_computed_is_an_incident_before_anything_ran(expression):
    run = Run(single(set_fields(x=expression)))
    (effect,) = run.plan.effects
    assert (effect.visit, effect.step, effect.guard) == (run.visit, "set", expression)
    assert run.told()[1:] == [("opened", "set", None), ("incident", "set", None)]
