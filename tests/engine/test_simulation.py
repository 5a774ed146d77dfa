"""The dry run, in a world of plain functions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.simulation import Entry, Level, Policy, Trial, World, read_script, simulate
from tests.engine.documents import (
    NOW,
    POLICY,
    action,
    arrow,
    choice,
    document,
    expenses,
    facts,
    join,
    race,
    single,
    split,
    subflow,
    task,
    wait,
)
from tests.engine.test_token_game import documents

START = "2026-11-23T10:00:00Z"
BOARD = {"id": "board", "approvers": [{"person": "bea"}, {"person": "bo"}], "rule": {"kind": "all"}}
TEAMS = {"it": ("ivo", "lea"), "administrator": ("ada",), "senior": ("lea",)}


def people(rule: Any, seen: Any, now: datetime) -> tuple[str, ...]:
    """The requester is Rita; `it` has two people, and a person is who they are."""
    if rule.get("requester"):
        return ("rita",)
    if "person" in rule:
        return (rule["person"],)
    if "field" in rule:
        return (seen["request"]["data"][rule["field"]],)
    return TEAMS.get(rule.get("team") or rule.get("role") or "", ())


def all_of(asked: tuple[str, ...], votes: Any) -> str:
    """Everybody approves, or somebody rejects or returns."""
    verdicts = [verdict for _, verdict in votes]
    against = {"reject": "rejected", "return": "returned"}
    decided = next((against[verdict] for verdict in verdicts if verdict in against), None)
    return decided or ("approved" if len(verdicts) == len(asked) else "pending")


def level(name: str, *asked: str, when: str | None = None) -> Level:
    return Level(id=name, people=lambda seen, now: asked, tally=all_of, when=when)


def policy(*levels: Level) -> Any:
    return lambda step: Policy(levels=levels)


def run(source: dict[str, Any], *script: Entry, world: World | None = None, seen: Any = None) -> Trial:
    world = world or World(people=people)
    return simulate(compile_document(source), seen or facts(amount=500.0), script, world, now=NOW)


def path(trial: Trial) -> list[tuple[str, str]]:
    return [(told["step"], told["event"]) for told in trial.path]


def codes(trial: Trial) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.entry) for problem in trial.problems]


def later(**span: float) -> datetime:
    return NOW + timedelta(**span)


def waits(trial: Trial) -> dict[str, Any]:
    return {told["step"]: told["for"] for told in trial.waiting}


# a walk from start to end


def test_a_walk_tells_its_path_who_is_asked_what_runs_and_how_it_ends():
    world = World(people=people, policy=policy(level("line", "mia")))
    script = [
        Entry(at=later(hours=1), step="review", decision="approve", by="mia"),
        Entry(at=later(hours=2), step="pause", message="delivered"),
    ]
    trial = run(expenses(), *script, world=world)
    assert trial.to_json() == {
        "path": [
            {"at": START, "step": "start", "event": "passed to review"},
            {"at": START, "step": "review", "event": "opened"},
            {"at": "2026-11-23T11:00:00Z", "step": "review", "event": "mia: approve"},
            {"at": "2026-11-23T11:00:00Z", "step": "review", "event": "ended: approved"},
            {"at": "2026-11-23T11:00:00Z", "step": "big", "event": "passed to mark"},
            {"at": "2026-11-23T11:00:00Z", "step": "mark", "event": "opened"},
            {"at": "2026-11-23T11:00:00Z", "step": "mark", "event": "ended: done"},
            {"at": "2026-11-23T11:00:00Z", "step": "pause", "event": "opened"},
            {"at": "2026-11-23T12:00:00Z", "step": "pause", "event": "ended: done"},
            {"at": "2026-11-23T12:00:00Z", "step": "paid", "event": "reached"},
            {"at": "2026-11-23T12:00:00Z", "step": None, "event": "finished: completed"},
        ],
        "asked": [{"step": "review", "level": "line", "people": ["mia"]}],
        "due": [],
        "actions": [
            {"at": "2026-11-23T11:00:00Z", "step": "mark", "action": "set_fields", "with": {"fields": {"fee": 250.0}}}
        ],
        "ended": "completed",
        "waiting": [],
        "problems": [],
    }


def test_the_same_walk_gives_the_same_answer():
    script = [Entry(step="review", decision="return"), Entry(step="mend", outcome="done")]
    assert run(expenses(), *script) == run(expenses(), *script)


def test_the_facts_that_were_handed_in_are_left_as_they_were():
    seen = facts(amount=500.0)
    run(expenses(), Entry(step="review", decision="approve"), seen=seen)
    assert seen == facts(amount=500.0)


# data


def test_what_an_action_sets_is_seen_by_later_guards():
    raised = action("raise", action="set_fields", **{"with": {"fields": {"amount": "request.data.amount * 3.0"}}})
    source = document(
        [raised, choice()],
        [
            arrow("start", "raise"),
            arrow("raise", "choice"),
            arrow("choice", "no", when="request.data.amount > 1000"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    assert run(source).ended == "rejected"


def test_the_values_of_a_tasks_form_are_seen_by_later_guards():
    source = document(
        [task(form="intake"), choice()],
        [
            arrow("start", "work"),
            arrow("work", "choice"),
            arrow("choice", "paid", when="request.data.fine"),
            arrow("choice", "no", otherwise=True),
        ],
    )
    assert run(source, Entry(step="work", outcome="done", data={"fine": True})).ended == "completed"
    assert run(source, Entry(step="work", outcome="done", data={"fine": False})).ended == "rejected"


def test_the_payload_of_a_message_goes_into_the_field_it_names():
    source = document(
        [wait(message="answer", into="answer"), task(), choice()],
        [
            arrow("start", "wait"),
            arrow("wait", "work"),
            arrow("work", "choice"),
            arrow("choice", "paid", when="request.data.answer.yes"),
            arrow("choice", "no", otherwise=True),
        ],
    )
    script = [Entry(step="wait", message="answer", data={"yes": True}), Entry(step="work", outcome="done")]
    assert run(source, *script).ended == "completed"


def test_values_that_the_form_refuses_leave_the_step_open_and_the_data_alone():
    def fields(form: str | None, values: Any) -> Any:
        raise InvalidInput({"data.size": [f"{form} does not take this."]})

    source = single(task(form="intake"))
    trial = run(source, Entry(step="work", outcome="done", data={"size": 1}), world=World(people=people, fields=fields))
    assert [problem.to_json() for problem in trial.problems] == [
        {
            "code": "data_refused",
            "severity": "error",
            "step": "work",
            "transition": None,
            "message": "data.size: intake does not take this.",
            "path": "script/0",
            "entry": 0,
        }
    ]
    assert waits(trial) == {"work": {"assign": {"requester": True}, "people": ["rita"]}}


def test_an_action_whose_values_are_refused_has_failed():
    def fields(form: str | None, values: Any) -> Any:
        raise InvalidInput({"fee": ["Too much."]})

    step = action("mark", action="set_fields", **{"with": {"fields": {"fee": "1"}}})
    trial = run(single(step), world=World(fields=fields))
    assert waits(trial) == {"mark": {"incident": "fields refused: fee: Too much."}}
    assert codes(trial) == [("incident", None)]


# actions


def test_actions_are_noted_with_their_values_and_secrets_by_their_name_only():
    settings = {
        "url": "https://pay.example.org/in",
        "secret": {"secret": "payments"},
        "body": {"number": "request.number"},
    }
    trial = run(single(action("pay", action="webhook", **{"with": settings})))
    assert trial.actions == (
        {"at": START, "step": "pay", "action": "webhook", "with": {**settings, "body": {"number": "SR-1"}}},
    )
    assert trial.ended == "completed"


def test_an_assignment_that_names_nobody_has_failed():
    trial = run(single(action("give", action="assign", **{"with": {"to": {"team": "gone"}}})))
    assert [problem.message for problem in trial.problems] == ["give: {'team': 'gone'} names nobody active."]


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


# bounds


def test_a_loop_that_never_rests_is_stopped():
    source = document(
        [action(), choice()],
        [
            arrow("start", "act"),
            arrow("act", "choice"),
            arrow("choice", "act", when="true"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    trial = run(source)
    assert codes(trial) == [("too_many_events", None)]
    assert len(trial.path) <= 10_000


def test_what_would_be_too_large_to_show_stops_the_walk():
    grow = action("act", action="set_fields", **{"with": {"fields": {"text": "request.data.text + request.data.text"}}})
    source = document(
        [grow, choice()],
        [
            arrow("start", "act"),
            arrow("act", "choice"),
            arrow("choice", "act", when="size(request.data.text) < 100000000"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    trial = run(source, seen=facts(text="x" * 200_000))
    assert trial.problems[-1].code in ("too_large", "incident")
    assert len(json.dumps(trial.to_json())) < 4_000_000


def test_only_the_first_thousand_entries_are_applied():
    trial = run(single(task()), *[Entry(at=later(seconds=index)) for index in range(1_001)])
    assert codes(trial) == [("too_many_entries", None)]


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
        ([{"step": "a"}], {"script.0": ["Say exactly one of outcome, message and decision."]}),
        (
            [{"step": "a", "outcome": "b", "decision": "c"}],
            {"script.0": ["Say exactly one of outcome, message and decision."]},
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
    ],
)
def test_what_is_wrong_with_a_script_is_told_by_its_place(source, errors):
    with pytest.raises(InvalidInput) as refused:
        read_script(source)
    assert refused.value.errors == errors


# whatever a document and a script say

STEPS = st.sampled_from([*(f"s{index}" for index in range(6)), "paid", "start", "nowhere", "s0/s1"])
WORDS = st.sampled_from(["x", "y", "done", "approved", "approve", "reject", "return", "m", "zap"])
ENTRIES = st.builds(
    lambda step, kind, word, by, instance, after: Entry(
        **{"step": step, kind: word, "by": by, "instance": instance, "at": later(seconds=after) if after else None}
    ),
    STEPS,
    st.sampled_from(["outcome", "message", "decision"]),
    WORDS,
    st.sampled_from([None, None, "rita", "stan"]),
    st.sampled_from([None, None, 0, 7]),
    st.integers(0, 20),
)


@given(documents(), st.lists(ENTRIES, max_size=25), st.sampled_from([{}, {"a": 1}, {"a": NOW, "b": "x"}]))
def test_no_script_breaks_a_dry_run(source, script, data):
    def walk() -> Trial:
        return simulate(compile_document(source), facts(**data), script, World(people=people), now=NOW)

    trial = walk()
    assert walk() == trial
    assert json.loads(json.dumps(trial.to_json())) == trial.to_json()
    assert (trial.ended is None) == bool(trial.waiting)
    times = [told["at"] for told in trial.path]
    assert times == sorted(times)
