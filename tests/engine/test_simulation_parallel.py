"""The dry run where several things go on: branches, races, instances, keys, child runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.workflows.engine.document import compile_document
from apps.workflows.engine.simulation import Entry, World
from tests.engine.documents import (
    action,
    arrow,
    choice,
    document,
    facts,
    join,
    race,
    single,
    split,
    subflow,
    task,
    wait,
)
from tests.engine.dry_runs import codes, later, path, people, run, waits

# parallel branches, races, instances, keys


def test_a_token_that_waits_for_another_branch_is_told():
    source = document(
        [split(), task("a"), task("b"), join()],
        [
            arrow("start", "split"),
            arrow("split", "a"),
            arrow("split", "b"),
            arrow("a", "join"),
            arrow("b", "join"),
            arrow("join", "paid"),
        ],
    )
    trial = run(source, Entry(step="a", outcome="done"))
    assert waits(trial)["join"] == {"branches": ["b"]}
    assert run(source, Entry(step="b", outcome="done"), Entry(step="a", outcome="done")).ended == "completed"


def test_in_a_race_the_rest_is_withdrawn():
    source = document(
        [race(), task("do"), wait("patience", seconds=60)],
        [
            arrow("start", "race"),
            arrow("race", "do"),
            arrow("race", "patience"),
            arrow("do", "paid"),
            arrow("patience", "no"),
        ],
    )
    done = run(source, Entry(step="do", outcome="done"), Entry(at=later(hours=1)))
    assert (done.ended, ("patience", "withdrawn") in path(done)) == ("completed", True)
    assert run(source, Entry(at=later(hours=1))).ended == "rejected"


def test_of_several_instances_the_first_open_one_is_meant_or_the_one_that_is_named():
    source = single(task(for_each="request.data.names"))
    seen = facts(names=["a", "b", "c"])
    script = [Entry(step="work", outcome="done", instance=1), Entry(step="work", outcome="done")]
    trial = run(source, *script, seen=seen)
    assert [(told["step"], told["instance"]) for told in trial.waiting] == [("work", 2)]
    assert [event for step, event in path(trial) if "ended" in event] == [
        "instance 1 ended: done",
        "instance 0 ended: done",
    ]
    again = run(source, *script, Entry(step="work", outcome="done", instance=1), seen=seen)
    assert codes(again) == [("not_open", 2)]
    assert run(source, *script, Entry(step="work", outcome="done"), seen=seen).ended == "completed"


def test_an_assignment_sees_which_instance_it_is_for():
    def named(rule: Any, seen: Any, now: datetime) -> tuple[str, ...]:
        return (seen["item"],)

    trial = run(single(task(for_each="['a', 'b']", assign={"cel": "item"})), world=World(people=named))
    assert [told["people"] for told in trial.asked] == [["a"], ["b"]]


def test_of_several_open_visits_the_oldest_is_meant_or_the_one_that_is_counted_to():
    source = document(
        [split(), {**task(), "merge": "each"}],
        [arrow("start", "split"), arrow("split", "work"), arrow("split", "work"), arrow("work", "paid")],
    )
    visits = [told["visit"] for told in run(source).waiting]
    assert [told["visit"] for told in run(source, Entry(step="work", outcome="done")).waiting] == visits[1:]
    assert [told["visit"] for told in run(source, Entry(step="work", outcome="done", instance=1)).waiting] == visits[:1]


def test_keys_are_granted():
    trial = run(single(action("act", exclusive="request.number")))
    assert path(trial)[1:] == [
        ("act", "opened"),
        ("act", "in line"),
        ("act", "ended: done"),
        ("paid", "reached"),
        (None, "finished: completed"),
    ]


# child runs


def child_world(source: dict[str, Any]) -> World:
    return World(people=people, child=lambda workflow: compile_document(source) if workflow == "other" else None)


def test_a_child_run_is_walked_inside():
    inner = document(
        [task("check", outcomes=[{"id": "ok"}, {"id": "bad"}])],
        [
            arrow("start", "check"),
            arrow("check", "paid", outcome="ok"),
            arrow("check", "no", outcome="bad"),
        ],
    )
    step = subflow(input={"amount": "request.data.amount"}, output={"seen": "run.input.amount"})
    arrows = [
        arrow("start", "child"),
        arrow("child", "act", outcome="completed"),
        arrow("child", "no"),
        arrow("act", "choice"),
        arrow("choice", "paid", when="request.data.seen == 500.0"),
        arrow("choice", "no", otherwise=True),
    ]
    source = document([step, action(), choice()], arrows)
    world = child_world(inner)
    assert waits(run(source, world=world)) == {
        "child": {"workflow": "other"},
        "child/check": {"assign": {"requester": True}, "people": ["rita"]},
    }
    trial = run(source, Entry(step="child/check", outcome="ok", by="rita"), world=world)
    assert ("child", "finished: completed") in path(trial)
    assert (trial.ended, trial.problems) == ("completed", ())
    assert run(source, Entry(step="child/check", outcome="bad"), world=world).ended == "rejected"


def test_a_deadline_of_the_step_cancels_its_child_run():
    step = subflow(deadlines=[{"id": "late", "after": {"seconds": 5}, "interrupt": True}])
    source = document([step], [arrow("start", "child"), arrow("child", "paid"), arrow("child", "no", deadline="late")])
    trial = run(source, Entry(at=later(minutes=1)), world=child_world(single(task())))
    assert (trial.ended, trial.waiting) == ("rejected", ())
    assert ("child/work", "withdrawn") in path(trial)


def test_a_workflow_that_is_not_published_is_an_incident():
    trial = run(single(subflow()))
    assert [problem.message for problem in trial.problems] == ["child: The workflow 'other' has no published version."]


def test_workflows_that_call_themselves_are_stopped_at_twenty():
    trial = run(single(subflow()), world=child_world(single(subflow())))
    deepest = max(told["step"].count("/") for told in trial.waiting)
    assert (deepest, codes(trial)) == (20, [("incident", None)])
