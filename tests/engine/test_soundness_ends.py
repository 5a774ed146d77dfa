"""The warning about ends of different outcomes that one run may come to."""

from __future__ import annotations

from typing import Any

import pytest

from apps.workflows.engine.document import compile_document
from apps.workflows.engine.problems import Severity
from apps.workflows.engine.soundness import Soundness, explore
from tests.engine.documents import arrow, choice, document, split, task

LATE = [{"id": "late", "after": {"seconds": 60}}]
CANCELLED = {"id": "gone", "kind": "end", "outcome": "cancelled"}


def explored(source: dict[str, Any]) -> Soundness:
    return explore(compile_document(source))


def branches() -> dict[str, Any]:
    """Two tasks at once, one of which leads to the end that is rejected."""
    return document(
        [split(), task("a"), task("b")],
        [
            arrow("start", "split"),
            arrow("split", "a"),
            arrow("split", "b"),
            arrow("a", "paid"),
            arrow("b", "no"),
        ],
    )


def reminded(end: dict[str, Any], **decide: Any) -> dict[str, Any]:
    """A task with a side branch to that end, and a choice after it."""
    source = document(
        [task("first"), task("work", deadlines=LATE), task("remind"), choice(), end],
        [
            arrow("start", "first"),
            arrow("first", "work"),
            arrow("work", "choice"),
            arrow("choice", "paid", when="request.data.ok"),
            arrow("choice", "no", otherwise=True),
            arrow("work", "remind", deadline="late"),
            arrow("remind", end["id"]),
        ],
    )
    for step in source["steps"]:
        step.update(decide if step["id"] in ("paid", "no") else {})
    return source


def test_a_run_that_may_come_to_different_ends_is_warned_of_with_its_shortest_way():
    (warning,) = explored(branches()).problems
    assert (warning.code, warning.severity) == ("different_ends", Severity.WARNING)
    assert (warning.step, warning.path) == ("no", "steps/5")
    assert warning.way == ("start", "a done", "b done")
    assert warning.message == (
        "Step 'no': one run may come here (rejected) and to 'paid' (completed); the last one decides. "
        "Shortest way there: start, a done, b done."
    )


def test_both_are_shown_whatever_the_reduction_made_of_the_rows_before_them():
    source = branches()
    source["steps"] += [task("c"), task("d")]
    source["transitions"][-1:] = [arrow("b", "c"), arrow("c", "d"), arrow("d", "no")]
    (warning,) = explored(source).problems
    assert warning.way == ("start", "a done", "b done", "c done", "d done")


def test_a_side_branch_to_an_end_of_another_outcome_is_warned_of():
    found = explored(reminded(CANCELLED))
    (warning,) = found.problems
    assert (warning.code, warning.severity) == ("different_ends", Severity.WARNING)
    assert (warning.step, warning.path) == ("gone", "steps/5")
    assert warning.way == ("start", "first done", "deadline 'late' of work", "remind done")
    assert "come here (cancelled) and to 'paid' (completed); the last one decides." in warning.message
    assert found.outcomes == {"completed", "rejected", "cancelled"}


@pytest.mark.parametrize(
    ("end", "decide"),
    [({"id": "gone", "kind": "end"}, {}), (CANCELLED, {"terminate": True}), (CANCELLED, {"outcome": "cancelled"})],
    ids=["says nothing", "the others terminate", "all say the same"],
)
def test_a_side_branch_that_cannot_change_how_the_run_ends_is_not_warned_of(end, decide):
    assert explored(reminded(end, **decide)).problems == ()


def test_a_side_branch_without_an_outcome_leaves_the_outcome_to_the_others():
    assert explored(reminded({"id": "gone", "kind": "end"})).outcomes == {"completed", "rejected"}
