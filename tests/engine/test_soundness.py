from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.workflows.engine.document import check_document, compile_document
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.soundness import Soundness, explore
from tests.engine.documents import (
    EXPENSES,
    action,
    arrow,
    choice,
    document,
    join,
    race,
    single,
    split,
    subflow,
    task,
    wait,
)

SHIPPED = sorted([*Path("fixtures/workflows").glob("*.json"), *Path("fixtures/history").glob("*.workflow.json")])


def explored(source: dict[str, Any], **options: Any) -> Soundness:
    return explore(compile_document(source), **options)


def errors(found: Soundness) -> list[tuple[str, str | None, str]]:
    problems = [problem for problem in found.problems if problem.severity is Severity.ERROR]
    return [(problem.code, problem.step, problem.path) for problem in problems]


def only_error(source: dict[str, Any], **options: Any) -> Problem:
    found = explored(source, **options)
    (problem,) = [problem for problem in found.problems if problem.severity is Severity.ERROR]
    assert found.verified
    assert not found.sound
    assert source["steps"][int(problem.path.removeprefix("steps/"))]["id"] == problem.step
    assert problem.message.endswith(f" Shortest way there: {', '.join(problem.way)}.") == bool(problem.way)
    return problem


def forked(*branches: str, gate: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """start → split → a task for each branch → join → paid."""
    return document(
        [gate or split(), *(task(branch) for branch in branches), join(**settings)],
        [
            arrow("start", "split"),
            *(arrow("split", branch) for branch in branches),
            *(arrow(branch, "join") for branch in branches),
            arrow("join", "paid"),
        ],
    )


# accepted


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_workflow_that_is_shipped_is_sound(path):
    stored = json.loads(path.read_text())
    assert explored(stored.get("document", stored)).sound


def test_the_workflow_of_the_examples_is_sound():
    found = explored(EXPENSES)
    assert (found.verified, found.problems, found.outcomes) == (True, (), {"completed", "rejected"})


def test_parallel_branches_that_are_joined_are_sound():
    found = explored(forked("a", "b", "c"))
    assert (found.verified, found.problems, found.outcomes) == (True, (), {"completed"})


@pytest.mark.parametrize(
    "settings",
    [{"wait": "first"}, {"wait": 2}, {"wait": "first", "cancel_rest": True}, {"wait": 2, "cancel_rest": True}],
)
def test_partial_joins_are_sound(settings):
    assert explored(forked("a", "b", "c", **settings)).problems == ()


def test_an_inclusive_block_in_a_parallel_one_in_a_loop_is_sound():
    source = document(
        [
            task("again", merge="each"),
            split("outer"),
            split("some"),
            *(task(name) for name in "abcd"),
            join("active", of="active"),
            join("all"),
            choice("more"),
        ],
        [
            arrow("start", "again"),
            arrow("again", "outer"),
            arrow("outer", "some"),
            arrow("outer", "d"),
            arrow("some", "a", when="request.data.a"),
            arrow("some", "b", when="request.data.b"),
            arrow("some", "c", otherwise=True),
            *(arrow(name, "active") for name in "abc"),
            arrow("active", "all"),
            arrow("d", "all"),
            arrow("all", "more"),
            arrow("more", "again", when="request.data.more"),
            arrow("more", "paid", otherwise=True),
        ],
    )
    assert explored(source).problems == ()


def test_a_milestone_is_sound():
    source = document(
        [split(), task("open"), task("while", only_while="open"), task("after")],
        [
            arrow("start", "split"),
            arrow("split", "open"),
            arrow("split", "while"),
            arrow("open", "after"),
            arrow("after", "paid"),
            arrow("while", "paid"),
        ],
    )
    assert explored(source).problems == ()


def test_several_threads_are_sound_where_they_may_meet():
    source = document(
        [split(), task("work", merge="each"), join(wait=3)],
        [
            arrow("start", "split"),
            *([arrow("split", "work")] * 3),
            arrow("work", "join"),
            arrow("join", "paid"),
        ],
    )
    assert explored(source).problems == ()


def test_a_reminder_in_a_loop_is_sound():
    source = document(
        [
            task(
                "answer",
                outcomes=[{"id": "good"}, {"id": "bad"}],
                deadlines=[{"id": "late", "after": {"seconds": 9}}],
            ),
            action("remind"),
            {"id": "reminded", "kind": "end"},
        ],
        [
            arrow("start", "answer"),
            arrow("answer", "paid", outcome="good"),
            arrow("answer", "answer", outcome="bad"),
            arrow("answer", "remind", deadline="late"),
            arrow("remind", "reminded"),
        ],
    )
    assert explored(source).problems == ()


def test_a_race_is_sound():
    source = document(
        [race(), task("work"), wait("late", seconds=5), wait("told", message="told")],
        [
            arrow("start", "race"),
            *(arrow("race", name) for name in ("work", "late", "told")),
            arrow("work", "paid"),
            arrow("late", "no"),
            arrow("told", "no"),
        ],
    )
    found = explored(source)
    assert (found.problems, found.outcomes) == ((), {"completed", "rejected"})


def test_an_interrupting_deadline_and_a_failed_action_are_followed():
    source = document(
        [
            task("work", deadlines=[{"id": "late", "after": {"seconds": 9}, "interrupt": True}]),
            action("act"),
            task("mend"),
        ],
        [
            arrow("start", "work"),
            arrow("work", "act"),
            arrow("work", "no", deadline="late"),
            arrow("act", "paid"),
            arrow("act", "mend", outcome="failed"),
            arrow("mend", "paid"),
        ],
    )
    assert explored(source).problems == ()


def test_instances_count_as_one_visit():
    source = document(
        [task("each", for_each="request.data.people", done_when="true", open_ended=True), subflow("child", count=3)],
        [arrow("start", "each"), arrow("each", "child"), arrow("child", "paid")],
    )
    assert explored(source).problems == ()


# refused


def test_a_join_that_waits_for_a_branch_that_is_not_taken_is_refused():
    source = forked("a", "b", gate=choice("split"))
    source["transitions"][1]["when"] = "request.data.a"
    source["transitions"][2]["otherwise"] = True
    problem = only_error(source)
    assert (problem.code, problem.step, problem.path) == ("stuck_join", "join", "steps/4")
    assert problem.way == ("start", "split to b", "b done")


def test_a_join_of_all_after_an_inclusive_split_is_refused():
    source = forked("a", "b", gate=split())
    source["transitions"][1]["when"] = "request.data.a"
    assert only_error(source).code == "stuck_join"


def test_branches_that_meet_unjoined_at_a_task_are_refused():
    source = forked("a", "b")
    source["steps"][4] = task("join")
    problem = only_error(source)
    assert (problem.code, problem.step, problem.path) == ("meet_unjoined", "join", "steps/4")
    assert problem.way == ("start", "a done", "b done")
    source["steps"][4]["merge"] = "each"
    assert explored(source).problems == ()


def test_branches_that_meet_unjoined_at_a_choice_are_refused():
    source = forked("a", "b")
    source["steps"][4] = choice("join")
    source["transitions"][-1]["otherwise"] = True
    source["transitions"].append(arrow("join", "a", when="request.data.a"))
    found = errors(explored(source))
    assert found == [("meet_unjoined", "a", "steps/2"), ("meet_unjoined", "join", "steps/4")]


def test_equal_arrows_meet_unjoined_where_they_lead():
    source = document(
        [split(), task("work"), join(wait=2)],
        [arrow("start", "split"), *([arrow("split", "work")] * 2), arrow("work", "join"), arrow("join", "paid")],
    )
    problem = only_error(source)
    assert (problem.code, problem.step, problem.way) == ("meet_unjoined", "work", ("start",))


def test_a_step_that_no_run_reaches_is_refused():
    source = document(
        [race(), wait("now", seconds=0), wait("never", message="told")],
        [arrow("start", "race"), *(arrow("race", name) for name in ("now", "never"))]
        + [arrow(name, "paid") for name in ("now", "never")],
    )
    assert errors(explored(source)) == [("dead_step", "never", "steps/3")]


def test_a_step_behind_a_milestone_that_is_never_open_is_refused():
    source = document(
        [task("first"), task("second", only_while="first")],
        [arrow("start", "first"), arrow("first", "second"), arrow("second", "paid")],
    )
    assert errors(explored(source)) == [("dead_step", "second", "steps/2"), ("dead_step", "paid", "steps/3")]


def test_a_loop_that_splits_collects_tokens_without_bound():
    source = document(
        [task("again"), split(), task("side"), choice()],
        [
            arrow("start", "again"),
            arrow("again", "split"),
            arrow("split", "choice"),
            arrow("split", "side"),
            arrow("side", "paid"),
            arrow("choice", "again", when="request.data.more"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    problem = only_error(source)
    assert (problem.code, problem.step, problem.path) == ("unbounded", "side", "steps/3")
    assert problem.way == ("start", "again done", "choice to again", "again done", "choice to again")


def test_a_join_starved_by_cancels_is_refused():
    source = forked("a", "b")
    source["steps"][2]["cancels"] = ["b"]
    problem = only_error(source)
    assert (problem.code, problem.step, problem.path) == ("starved_join", "join", "steps/4")
    assert problem.way == ("start", "a done")


def test_an_automatic_loop_is_refused():
    source = document(
        [split(), choice(), task("work")],
        [
            arrow("start", "split"),
            arrow("split", "choice", when="request.data.a"),
            arrow("split", "work", otherwise=True),
            arrow("work", "paid"),
            arrow("choice", "split", otherwise=True),
            arrow("choice", "paid", when="request.data.b"),
        ],
    )
    assert "endless_loop" in {code for code, _, _ in errors(explored(source))}


def test_a_run_that_goes_on_for_ever_cannot_end():
    source = document(
        [task("again"), split()],
        [arrow("start", "again"), arrow("again", "split"), arrow("split", "again"), arrow("split", "paid")],
    )
    problem = only_error(source)
    assert (problem.code, problem.step, problem.way) == ("cannot_end", "again", ("start",))


def test_a_run_that_is_opened_again_within_a_block_is_stuck():
    source = {**forked("a", "b"), "reopen": "a"}
    problem = only_error(source)
    assert (problem.code, problem.step, problem.way) == ("stuck_join", "join", ("opened again at a", "a done"))


def test_a_child_run_that_never_ends_is_refused():
    problem = only_error(single(subflow()), children={"other": frozenset()})
    assert (problem.code, problem.step, problem.way) == ("endless_recursion", "child", ("start",))
    assert explored(single(subflow()), children={"other": frozenset({"completed"})}).problems == ()


def test_a_join_of_more_branches_than_there_are_is_a_matter_of_structure():
    source = forked("a", "b", wait=3)
    assert [problem.code for problem in check_document(source)] == ["join_count"]


def test_reminders_that_cancel_are_explored_with_the_rest():
    deadlines = [{"id": "late", "after": {"seconds": 9}}]
    source = document(
        [
            task("answer", outcomes=[{"id": "good"}, {"id": "bad"}], deadlines=deadlines),
            task("remind", cancels=["answer"]),
            {"id": "reminded", "kind": "end"},
        ],
        [
            arrow("start", "answer"),
            arrow("answer", "paid", outcome="good"),
            arrow("answer", "answer", outcome="bad"),
            arrow("answer", "remind", deadline="late"),
            arrow("remind", "reminded"),
        ],
    )
    problem = only_error(source)
    assert (problem.code, problem.step) == ("unbounded", "remind")


# bounds


def test_past_the_most_markings_the_answer_is_not_verified():
    told: list[int] = []
    source = forked(*"abcdefghij")
    next(step for step in source["steps"] if step["kind"] == "join")["of"] = "active"
    next(step for step in source["steps"] if step["id"] == "a")["cancels"] = ["b"]
    found = explored(source, most=700, progress=told.append)
    (warning,) = found.problems
    assert (warning.code, warning.severity) == ("not_verified", Severity.WARNING)
    assert (found.verified, found.sound, told) == (False, False, [500])


def test_however_many_plain_branches_a_block_has_it_is_seen_whole():
    found = explored(forked(*(f"t{number}" for number in range(200))), most=700)
    assert (found.verified, found.sound, found.problems) == (True, True, ())


def test_an_inclusive_split_with_more_ways_than_can_be_looked_at_is_given_up_in_bounded_work():
    names = [f"t{number}" for number in range(25)]
    arrows = [arrow("split", name, when=f"request.data.n > {number}") for number, name in enumerate(names)]
    source = document(
        [split(), *(task(name) for name in names)],
        [
            arrow("start", "split"),
            *arrows,
            arrow("split", "paid", otherwise=True),
            *(arrow(name, "paid") for name in names),
        ],
    )
    found = explored(source, most=500)
    assert (found.verified, [problem.code for problem in found.problems]) == (False, ["not_verified"])
