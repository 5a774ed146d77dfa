"""The dry run at steps for people: approvals and tasks."""

from __future__ import annotations

import pytest

from apps.workflows.engine.simulation import Entry, World
from tests.engine.documents import POLICY, expenses, single, task
from tests.engine.dry_runs import BOARD, codes, level, path, policy, run, waits

# approvals


def test_levels_are_asked_in_order_and_those_that_do_not_apply_are_told():
    levels = policy(
        level("line", "mia"),
        level("finance", "fay", when="request.data.amount > 1000.0"),
        level("board", "bea", "bo"),
    )
    source = single({"id": "ask", "kind": "approval", "policy": {**POLICY, "return": "never"}})
    script = [
        Entry(step="ask", decision="approve", by="mia"),
        Entry(step="ask", decision="approve", by="bo"),
    ]
    trial = run(source, *script, world=World(policy=levels))
    assert trial.asked == (
        {"step": "ask", "level": "line", "people": ["mia"]},
        {"step": "ask", "level": "finance", "people": [], "skipped": "does not apply: request.data.amount > 1000.0"},
        {"step": "ask", "level": "board", "people": ["bea", "bo"]},
    )
    assert waits(trial) == {"ask": {"level": "board", "people": ["bea"]}}
    assert run(source, *script, Entry(step="ask", decision="approve"), world=World(policy=levels)).ended == "completed"


def test_an_approval_none_of_whose_levels_applies_is_approved_at_once():
    source = single({"id": "ask", "kind": "approval", "policy": {**POLICY, "return": "never"}})
    trial = run(source, world=World(policy=policy(level("line", "mia", when="false"))))
    assert path(trial)[1:3] == [("ask", "opened"), ("ask", "ended: approved")]
    assert trial.ended == "completed"


@pytest.mark.parametrize(("decision", "taken"), [("approve", "mark"), ("reject", "no"), ("return", "mend")])
def test_a_decision_ends_an_approval_whose_policy_is_not_known(decision, taken):
    assert taken in [step for step, _ in path(run(expenses(), Entry(step="review", decision=decision)))]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ([("approve", "stan")], ("not_asked", 0, "'stan' is not among those asked at level board of ask: bea, bo.")),
        ([("approve", "bea")] * 2, ("already_decided", 1, "'bea' has given an answer already at level board of ask.")),
        (
            [("shrug", "bea")],
            ("unknown_decision", 0, "At ask a decision is one of approve, reject, return, not 'shrug'."),
        ),
    ],
)
def test_a_decision_that_is_not_theirs_changes_nothing(script, problem):
    source = single({"id": "ask", "kind": "approval", "policy": {"levels": [BOARD], "return": "never"}})
    entries = [Entry(step="ask", decision=decision, by=by) for decision, by in script]
    trial = run(source, *entries, world=World(policy=policy(level("board", "bea", "bo"))))
    assert [(found.code, found.entry, found.message) for found in trial.problems] == [problem]
    left = ["bea", "bo"] if len(script) == 1 else ["bo"]
    assert waits(trial) == {"ask": {"level": "board", "people": left}}


def test_a_level_whose_guard_fails_is_asked_and_that_is_told():
    source = single({"id": "ask", "kind": "approval", "policy": {**POLICY, "return": "never"}})
    trial = run(source, world=World(policy=policy(level("line", "mia", when="request.data.nothing"))))
    assert codes(trial) == [("guard", None)]
    assert waits(trial) == {"ask": {"level": "line", "people": ["mia"]}}


def test_a_level_that_can_ask_nobody_is_told():
    source = single({"id": "ask", "kind": "approval", "policy": {**POLICY, "return": "never"}})
    trial = run(source, Entry(step="ask", decision="approve"), world=World(policy=policy(level("line"))))
    assert codes(trial) == [("nobody_asked", None), ("not_asked", 0)]


# tasks


def test_a_task_is_done_by_somebody_it_is_for():
    source = single(task(assign={"team": "it"}))
    assert run(source, Entry(step="work", outcome="done", by="lea")).ended == "completed"
    refused = run(source, Entry(step="work", outcome="done", by="rita"))
    assert [problem.message for problem in refused.problems] == [
        "'rita' is not among those whom 'work' is for: ivo, lea."
    ]
    assert refused.asked == ({"step": "work", "level": None, "people": ["ivo", "lea"]},)


def test_an_outcome_that_is_kept_for_a_role_is_not_for_everybody():
    source = single(task(assign={"team": "it"}, outcomes=[{"id": "done", "by": {"role": "senior"}}]))
    assert codes(run(source, Entry(step="work", outcome="done", by="ivo"))) == [("not_asked", 0)]
    assert run(source, Entry(step="work", outcome="done", by="lea")).ended == "completed"


def test_a_task_that_is_for_nobody_goes_to_the_administrators():
    trial = run(single(task(assign={"team": "gone"})))
    assert codes(trial) == [("nobody_assigned", None)]
    assert waits(trial)["work"]["people"] == ["ada"]
