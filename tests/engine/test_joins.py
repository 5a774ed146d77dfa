"""Joins on the planner alone: what is left of rounds where one block lies in another."""

from __future__ import annotations

from typing import Any

from apps.workflows.engine import triggers
from apps.workflows.engine.document import check_document
from apps.workflows.engine.marking import Round
from tests.engine.documents import arrow, choice, document, facts, join, split, task
from tests.engine.runs import Run

MORE = facts(more=True)


def nested(**outer: Any) -> dict[str, Any]:
    """A block whose first of three branches wins, in a loop; one branch is a block itself: the first of two."""
    return document(
        [
            split(),
            task("quick"),
            split("inner"),
            task("one"),
            task("two"),
            join("either", wait="first"),
            task("slow"),
            join("first", wait="first", **outer),
            choice("again"),
        ],
        [
            arrow("start", "split"),
            arrow("split", "quick"),
            arrow("split", "inner"),
            arrow("inner", "one"),
            arrow("inner", "two"),
            arrow("one", "either"),
            arrow("two", "either"),
            arrow("either", "slow"),
            arrow("quick", "first"),
            arrow("slow", "first"),
            arrow("first", "again"),
            arrow("again", "split", when="request.data.more"),
            arrow("again", "paid", otherwise=True),
        ],
    )


def finish(run: Run, step: str) -> None:
    """Somebody completes the open task of that step."""
    (visit,) = (visit for visit in run.plan.marking.open_visits() if visit.step == step)
    run.send(triggers.Complete(visit=visit.id, outcome="done"))


def test_a_block_that_is_withdrawn_takes_the_open_rounds_of_inner_joins_with_it():
    source = nested(cancel_rest=True)
    assert check_document(source) == ()
    run = Run(source, MORE)
    finish(run, "one")
    assert run.plan.marking.joins == (Round(step="either", seen=("one",)),)
    finish(run, "quick")
    assert run.plan.marking.joins == ()
    assert sorted(run.at) == ["one", "quick", "two"]
    finish(run, "one")
    assert sorted(run.at) == ["quick", "slow", "two"]


def test_a_block_that_is_not_withdrawn_keeps_the_open_rounds_of_inner_joins():
    run = Run(nested(), MORE)
    finish(run, "one")
    finish(run, "quick")
    assert run.plan.marking.joins == (Round(step="either", seen=("one",)), Round(step="first", seen=("quick",)))
