from __future__ import annotations

from apps.workflows.engine.document import compile_document
from apps.workflows.engine.soundness import explore
from apps.workflows.engine.soundness.model import model_of
from apps.workflows.engine.soundness.reduction import Reducer
from apps.workflows.engine.soundness.regions import regions
from apps.workflows.engine.soundness.search import Budget
from apps.workflows.engine.soundness.side import apart
from tests.engine.documents import action, arrow, document, join, race, split, task, wait

BLOCK = document(
    [task("first"), split(), task("a"), task("b"), task("c"), join(), task("last")],
    [
        arrow("start", "first"),
        arrow("first", "split"),
        arrow("split", "a"),
        arrow("a", "b"),
        arrow("split", "c"),
        arrow("b", "join"),
        arrow("c", "join"),
        arrow("join", "last"),
        arrow("last", "paid"),
    ],
)


def left_of(source):
    """The steps that are left when everything that counts as one has become one."""
    reducer = Reducer(budget=Budget(most=1_000))
    space = reducer.explored(model_of(compile_document(source), None))
    return sorted(step.id for step in space.frame.definition.steps)


def test_regions_are_found_between_arrows_that_every_run_takes():
    found = [sorted(region.steps) for region in regions(compile_document(BLOCK))]
    assert found == [["first"], ["a"], ["b"], ["c"], ["last"], ["a", "b", "c", "join", "split"]]


def test_a_block_and_the_steps_around_it_become_one():
    inner = {**BLOCK, "steps": [*BLOCK["steps"]], "transitions": [*BLOCK["transitions"]]}
    assert left_of(inner) == ["first\u2026", "paid", "start"]


def test_a_block_with_a_step_that_is_cancelled_from_outside_stays_as_it_is():
    source = {**BLOCK, "steps": [dict(step) for step in BLOCK["steps"]]}
    source["steps"][-2]["cancels"] = ["c"]
    assert left_of(source) == ["a\u2026", "c", "first", "join", "last", "paid", "split", "start"]


def test_a_block_in_which_a_run_is_opened_again_stays_as_it_is():
    assert "c" in left_of({**BLOCK, "reopen": "c"})


def test_a_row_that_leads_out_of_a_race_begins_behind_its_competitors():
    source = document(
        [race(), wait("late", seconds=5), task("work"), task("more"), task("most")],
        [
            arrow("start", "race"),
            arrow("race", "late"),
            arrow("race", "work"),
            arrow("late", "paid"),
            arrow("work", "more"),
            arrow("more", "most"),
            arrow("most", "paid"),
        ],
    )
    assert left_of(source) == ["late", "more\u2026", "paid", "race", "start", "work"]


def test_threads_that_come_to_a_block_see_it_as_it_is_drawn():
    source = document(
        [
            split("threads"),
            task("in", merge="each"),
            split(),
            task("a"),
            task("b"),
            join(of="active"),
            task("out"),
            join("all", wait=2),
        ],
        [
            arrow("start", "threads"),
            *([arrow("threads", "in")] * 2),
            arrow("in", "split"),
            arrow("split", "a"),
            arrow("split", "b", when="request.data.b"),
            arrow("a", "join"),
            arrow("b", "join"),
            arrow("join", "out"),
            arrow("out", "all"),
            arrow("all", "paid"),
        ],
    )
    problem = explore(compile_document(source)).problems[0]
    assert (problem.code, problem.step) == ("stuck_join", "all")


def test_a_block_that_leads_back_into_itself_is_not_taken_for_a_plain_one():
    source = document(
        [task("first"), split(), task("a"), task("b"), join(of="active"), task("last")],
        [
            arrow("start", "first"),
            arrow("first", "split"),
            arrow("split", "a", when="request.data.a"),
            arrow("split", "b", otherwise=True),
            arrow("split", "join", when="request.data.b"),
            arrow("a", "split"),
            arrow("b", "join"),
            arrow("join", "last"),
            arrow("last", "paid"),
        ],
    )
    assert {problem.code for problem in explore(compile_document(source)).problems} == {"unbounded"}


def test_a_failure_in_a_reduced_document_is_told_of_its_own_steps():
    source = {**BLOCK, "steps": [*BLOCK["steps"][:-1], split("again"), task("side"), BLOCK["steps"][-1]]}
    source["transitions"] = [*BLOCK["transitions"][:-1], arrow("last", "again"), arrow("again", "paid")]
    source["transitions"] += [arrow("again", "side"), arrow("side", "last")]
    (problem,) = explore(compile_document(source)).problems
    assert (problem.code, problem.step) == ("cannot_end", "last")
    assert problem.way == ("start", "first done", "a done", "b done", "c done")


def test_a_side_branch_is_explored_by_itself():
    source = document(
        [task(deadlines=[{"id": "late", "after": {"seconds": 9}}]), action("remind"), {"id": "told", "kind": "end"}],
        [
            arrow("start", "work"),
            arrow("work", "paid"),
            arrow("work", "remind", deadline="late"),
            arrow("remind", "told"),
        ],
    )
    main, (side,) = apart(model_of(compile_document(source), None))
    assert [step.id for step in main.definition.steps] == ["start", "work", "paid"]
    assert (side.step, [step.id for step in side.model.definition.steps][1:]) == ("work", ["remind", "told"])


def test_what_is_wrong_in_a_side_branch_is_told():
    source = document(
        [
            task(deadlines=[{"id": "late", "after": {"seconds": 9}}]),
            split(),
            *(task(name) for name in "abc"),
            {"id": "told", "kind": "end"},
        ],
        [
            arrow("start", "work"),
            arrow("work", "paid"),
            arrow("work", "split", deadline="late"),
            arrow("split", "a"),
            arrow("split", "b"),
            arrow("a", "c"),
            arrow("b", "c"),
            arrow("c", "told"),
        ],
    )
    (problem,) = explore(compile_document(source)).problems
    assert (problem.code, problem.step, problem.path) == ("meet_unjoined", "c", "steps/5")
