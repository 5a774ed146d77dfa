"""Patterns 19, 20 and 25: a step, everything, or a region is withdrawn."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.patterns.basic import opened
from tests.engine.patterns.case import Case, Order, Told, begin, done, message, operator, told_already


def _task_withdrawn(order: Order) -> Told:
    """B withdraws A, begun or not, and what follows A never opens. Once A is complete there is nothing to withdraw."""
    open_ones, told, withdrawn = ["A", "B"], [opened("A", "B")], False
    for name in order:
        if name == "B":
            withdrawn = "A" in open_ones
            open_ones = [step for step in open_ones if step not in ("A", "B")]
            told.append(["B ended", *(["A withdrawn"] if withdrawn else [])])
        elif name == "A2" and withdrawn:
            told.append(["A2 not offered"])
        elif withdrawn:
            told.append([f"{name} refused"])
        elif name == "begin A":
            told.append(["A begun"])
        else:
            open_ones.remove(name)
            open_ones += ["A2"] if name == "A" else []
            told.append([f"{name} ended", *(["A2 opened"] if name == "A" else [])])
        if not open_ones and not told_already(told, "run completed"):
            told[-1].append("run completed")
    return told


def _operator_withdraws(order: Order) -> Told:
    """An operator withdraws A while it is open; B goes on untouched. Once A is complete the operator is refused."""
    told, a_open, withdrawn, left = [opened("A", "B")], True, False, {"A", "A2", "B"}
    for name in order:
        if name == "cancel_visit A":
            withdrawn = a_open
            lines = ["A withdrawn"] if a_open else ["cancel_visit A refused"]
            left -= {"A", "A2"} if a_open else set()
            a_open = False
        elif name != "B" and withdrawn:
            lines = [f"{name} not offered" if name == "A2" else f"{name} refused"]
        elif name == "begin A":
            lines = ["A begun"]
        else:
            left -= {name}
            a_open = a_open and name != "A"
            lines = [f"{name} ended", *(["A2 opened"] if name == "A" else [])]
        ends = not left and not told_already(told, "run completed")
        told.append([*lines, *(["run completed"] if ends else [])])
    return told


CANCEL_TASK = (
    Case(
        pattern=19,
        shows="a step that completes withdraws another, whether it is only offered or already begun",
        events=(begin("A"), done("A"), done("A2"), done("B")),
        rules=("begin A < A", "A < A2"),
        expect=_task_withdrawn,
        literal=(
            "start: passed start, passed split, passed split, opened A, opened B",
            "begin A: begun A",
            "B: begun B, withdrawn A, ended B, passed end: completed, finished: completed",
            "A",
            "A2",
        ),
    ),
    Case(
        pattern=19,
        shows="an operator withdraws a step, and everything else goes on",
        events=(begin("A"), done("A"), done("A2"), operator("cancel_visit", "A"), done("B")),
        rules=("begin A < A", "A < A2", "cancel_visit A < B"),
        expect=_operator_withdraws,
    ),
)


def _everything_withdrawn(stop: str, lines: list[str]) -> Callable[[Order], Told]:
    """`stop` withdraws all that is open at that moment; then nothing can be done, and the run is cancelled."""

    def expect(order: Order) -> Told:
        open_ones = ["A", "check", "check[0]", "check[1]", "W", "later", "B"]
        told = [[f"{place} opened" for place in open_ones]]
        open_ones = [place for place in open_ones if place != stop]
        over = False
        for name in order:
            if over:
                told.append([f"{name} refused"])
            elif name == stop:
                over = True
                told.append([*lines, *(f"{place} withdrawn" for place in open_ones), "run cancelled"])
            else:
                place = "W" if name == "go" else name
                open_ones.remove(place)
                told.append([f"{place} ended"])
        return told

    return expect


CASE_OPENED = (
    "start: passed start, passed split, passed split, passed split, passed split, passed split, opened A, "
    "opened check, instance opened check[0], instance opened check[1], opened W, begun W, opened later, begun later, "
    "opened B"
)
CANCEL_CASE = (
    Case(
        pattern=20,
        shows="somebody cancels: every work item, wait and timer is withdrawn, and the run is cancelled, not complete",
        events=(done("A"), done("check", instance=0), message("go"), operator("cancel")),
        expect=_everything_withdrawn("cancel", []),
        literal=(
            CASE_OPENED,
            "check[0]: begun check, instance ended check[0]",
            "go: ended W, passed end: completed",
            "cancel: withdrawn A, withdrawn check, withdrawn later, withdrawn B, finished: cancelled",
            "A",
        ),
    ),
    Case(
        pattern=20,
        shows="an end that terminates as cancelled does the same",
        events=(done("A"), done("check", instance=0), message("go"), done("B")),
        expect=_everything_withdrawn("B", ["B ended"]),
    ),
)


def _region_withdrawn(order: Order) -> Told:
    """K withdraws what is open at A, A2 and B; B2 and C are not in the region, and stay."""
    open_ones, region, withdrawn = ["A", "B", "C", "K"], ("A", "A2", "B"), []
    following, told = {"A": "A2", "B": "B2"}, [opened("A", "B", "C", "K")]
    for name in order:
        if name in open_ones:
            open_ones.remove(name)
            then = [following[name]] if name in following else []
            withdrawn += [step for step in open_ones if step in region] if name == "K" else []
            open_ones = [step for step in open_ones if step not in withdrawn] + then
            gone = [f"{step} withdrawn" for step in withdrawn] if name == "K" else []
            told.append([f"{name} ended", *gone, *opened(*then), *([] if open_ones else ["run completed"])])
        else:
            told.append([f"{name} {'refused' if name in withdrawn else 'not offered'}"])
    return told


CANCEL_REGION = Case(
    pattern=25,
    shows="a chosen set of steps is withdrawn together, at whichever of them the branches stand; others stay",
    events=(done("A"), done("A2"), done("B"), done("B2"), done("K"), done("C")),
    rules=("A < A2", "B < B2", *(f"{step} < C" for step in ("A2", "B2", "K"))),
    expect=_region_withdrawn,
    literal=(
        "start: passed start, passed split, passed split, passed split, passed split, "
        "opened A, opened B, opened C, opened K",
        "B: begun B, ended B, opened B2",
        "A: begun A, ended A, opened A2",
        "K: begun K, withdrawn A2, ended K, passed end: completed",
        "A2",
        "B2: begun B2, ended B2, passed end: completed",
        "C: begun C, ended C, passed end: completed, finished: completed",
    ),
)

CASES: tuple[Case, ...] = (*CANCEL_TASK, *CANCEL_CASE, CANCEL_REGION)
