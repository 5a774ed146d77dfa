from __future__ import annotations

from typing import Any

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.problems import Severity
from apps.workflows.engine.soundness import can_end, explore, nested_keys
from tests.engine.documents import arrow, choice, document, single, subflow, task


def compiled(**sources: dict[str, Any]) -> dict[str, Definition]:
    return {key: compile_document({**source, "workflow": key}) for key, source in sources.items()}


def behind_a_choice(workflow: str) -> dict[str, Any]:
    """A child run if a guard holds, else the end at once."""
    return document(
        [choice(), subflow(workflow=workflow)],
        [
            arrow("start", "choice"),
            arrow("choice", "child", when="request.data.more"),
            arrow("choice", "no", otherwise=True),
            arrow("child", "paid"),
        ],
    )


def test_a_workflow_ends_by_the_ends_it_can_come_to():
    assert can_end(compiled(plain=single(task()))) == {"plain": {"completed"}}


def test_a_workflow_that_runs_itself_without_end_cannot_end():
    definitions = compiled(own=single(subflow(workflow="own")))
    assert can_end(definitions) == {"own": frozenset()}
    (problem,) = explore(definitions["own"], children=can_end(definitions)).problems
    assert (problem.code, problem.step, problem.path) == ("endless_recursion", "child", "steps/1")


def test_a_workflow_that_runs_itself_behind_a_choice_can_end():
    definitions = compiled(own=behind_a_choice("own"))
    assert can_end(definitions) == {"own": {"completed", "rejected"}}
    assert explore(definitions["own"], children=can_end(definitions)).sound


def test_workflows_that_only_run_each_other_cannot_end():
    definitions = compiled(one=single(subflow(workflow="two")), two=single(subflow(workflow="one")))
    assert can_end(definitions) == {"one": frozenset(), "two": frozenset()}


def test_one_way_out_is_enough_for_all_that_run_each_other():
    definitions = compiled(one=single(subflow(workflow="two")), two=behind_a_choice("one"))
    assert can_end(definitions) == {"one": {"completed"}, "two": {"completed", "rejected"}}


def test_a_workflow_that_is_not_there_never_ends():
    assert can_end(compiled(one=single(subflow(workflow="gone")))) == {"one": frozenset()}


def test_only_the_workflows_that_are_asked_for_and_their_children_are_looked_at():
    definitions = compiled(one=single(subflow(workflow="two")), two=single(task()), three=single(task()))
    assert can_end(definitions, of=["one"]) == {"one": {"completed"}, "two": {"completed"}}


def test_another_key_taken_within_a_child_run_is_not_verified():
    holder = single(subflow(workflow="two", exclusive="request.data.asset"))
    definitions = compiled(one=holder, two=single(subflow(workflow="three")), three=single(task(exclusive="'room'")))
    (problem,) = nested_keys(definitions["one"], definitions)
    assert (problem.code, problem.severity, problem.step, problem.path) == (
        "not_verified",
        Severity.WARNING,
        "child",
        "steps/1/exclusive",
    )


def test_the_same_key_taken_within_a_child_run_is_no_problem():
    holder = single(subflow(workflow="two", exclusive="request.data.asset"))
    definitions = compiled(one=holder, two=single(task(exclusive="request.data.asset")))
    assert nested_keys(definitions["one"], definitions) == ()
