"""Patterns 10, 21 and 22: loops and recursion."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.patterns.basic import opened
from tests.engine.patterns.case import Case, Event, Order, Told, again, done, operator, told_already

# 10: the ways that are drawn: what is done -> where it leads (None: to an end)

WAYS = {
    "A on": "B",
    "A quit": None,
    "B on": "C",
    "B back": "A",
    "C back": "B",
    "C far": "A",
    "C stop": None,
}
LONGEST_WALK = 6


def _walks(entry: str) -> tuple[Order, ...]:
    """Every walk from an entry to an end of at most six steps; the n-th step of a walk is called `n A on`."""
    found: list[Order] = []
    ways: list[tuple[str, Order]] = [(entry, ())]
    while ways:
        at, walked = ways.pop(0)
        for way, then in WAYS.items():
            longer: Order = (*walked, f"{len(walked) + 1} {way}")
            if way[0] == at and then is None:
                found.append(longer)
            elif way[0] == at and then and len(longer) < LONGEST_WALK:
                ways.append((then, longer))
    return tuple(found)


def _goes_where_drawn(entry: str) -> Callable[[Order], Told]:
    def expect(order: Order) -> Told:
        told = [opened(entry)]
        for name in order:
            step, outcome = name.split()[1:]
            then = WAYS[f"{step} {outcome}"]
            ends = "run rejected" if outcome == "quit" else "run completed"
            told.append([f"{step} ended: {outcome}", *([ends] if then is None else opened(then))])
        return told

    return expect


def _cycles(entry: str, literal: tuple[str, ...]) -> Case:
    steps = [(nth, way) for nth in range(1, LONGEST_WALK + 1) for way in WAYS]
    return Case(
        pattern=10,
        shows=f"loops that cross, with two entries and two exits; entered at {entry}",
        events=tuple(again(done(*way.split()), f"{nth} {way}") for nth, way in steps),
        walks=_walks(entry),
        data={"late": int(entry == "B")},
        expect=_goes_where_drawn(entry),
        literal=literal,
    )


CYCLES = (
    _cycles(
        "A",
        (
            "start: passed start, passed entry, opened A",
            "1 A on: begun A, ended A: on, opened B",
            "2 B on: begun B, ended B: on, opened C",
            "3 C far: begun C, ended C: far, opened A",
            "4 A quit: begun A, ended A: quit, passed out: rejected, finished: rejected",
        ),
    ),
    _cycles(
        "B",
        (
            "start: passed start, passed entry, opened B",
            "1 B back: begun B, ended B: back, opened A",
            "2 A on: begun A, ended A: on, opened B",
            "3 B on: begun B, ended B: on, opened C",
            "4 C stop: begun C, ended C: stop, passed end: completed, finished: completed",
        ),
    ),
)

# 21: A is repeated as long as n < limit, read before it; then B as long as n < rounds, read after it


def _repeated(limit: int, rounds: int, a_times: int, b_times: int, literal: tuple[str, ...] = ()) -> Case:
    def expect(order: Order) -> Told:
        told = [opened(order[0][0])]
        for name, then in zip(order, (*order[1:], None), strict=True):
            counted = [f"{name[0]} ended", f"count_{name[0]} opened", f"count_{name[0]} ended"]
            told.append([*counted, *(opened(then[0]) if then else ["run completed"])])
        return told

    walk = tuple([f"A {nth}" for nth in range(1, a_times + 1)] + [f"B {nth}" for nth in range(1, b_times + 1)])
    return Case(
        pattern=21,
        shows=f"tested before the body: {a_times} times; tested after it: {b_times} times",
        events=tuple(again(done(name[0]), name) for name in walk),
        walks=(walk,),
        data={"n": 0, "limit": limit, "rounds": rounds},
        expect=expect,
        literal=literal,
    )


LOOPS = (
    _repeated(0, 0, 0, 1),
    _repeated(1, 0, 1, 1),
    _repeated(3, 0, 3, 1),
    _repeated(0, 3, 0, 3),
    _repeated(
        2,
        4,
        2,
        2,
        (
            "start: passed start, passed before, opened A",
            "A 1: begun A, ended A, opened count_A, begun count_A, ended count_A, passed before, opened A",
            "A 2: begun A, ended A, opened count_A, begun count_A, ended count_A, passed before, opened B",
            "B 1: begun B, ended B, opened count_B, begun count_B, ended count_B, passed after, opened B",
            "B 2: begun B, ended B, opened count_B, begun count_B, ended count_B, passed after, passed end: completed, "
            "finished: completed",
        ),
    ),
)

# 22: the workflow calls itself as often as the data say


def _deep(limit: int) -> tuple[Event, ...]:
    return tuple(again(done(step), f"{step} {nth}") for step in "AB" for nth in range(1, limit + 2))


def _recursion(limit: int, literal: tuple[str, ...] = ()) -> Case:
    events = _deep(limit)

    def expect(order: Order) -> Told:
        """Each A but the innermost calls the workflow again; each B ends its level, and the level above goes on."""
        down = ["A ended", "R opened", "A opened"]
        up = ["B ended", "R ended: completed", "B opened"]
        return [
            ["A opened"],
            *[down] * limit,
            ["A ended", "B opened"],
            *[up] * limit,
            ["B ended", "run completed"],
        ]

    return Case(
        pattern=22,
        shows=f"the workflow calls itself {limit} times, and every level comes back to where it was called",
        events=events,
        walks=(tuple(event.name for event in events),),
        data={"limit": limit},
        expect=expect,
        literal=literal,
    )


def _all_levels_withdrawn(order: Order) -> Told:
    """Cancelling withdraws the open step of the deepest level and the calling step of each level above."""
    told, depth = [["A opened"]], 0
    for name in order:
        if name == "cancel":
            told.append([*["R withdrawn"] * depth, "A withdrawn", "run cancelled"])
        elif told_already(told, "run cancelled"):
            told.append([f"{name} refused"])
        else:
            depth += 1
            told.append(["A ended", "R opened", "A opened"])
    return told


RECURSION = (
    _recursion(0),
    _recursion(1),
    _recursion(
        2,
        (
            "start: passed start, opened A",
            "A 1: begun A, ended A, passed deeper, opened R, begun R, passed start, opened A",
            "A 2: begun A, ended A, passed deeper, opened R, begun R, passed start, opened A",
            "A 3: begun A, ended A, passed deeper, opened B",
            "B 1: begun B, ended B, passed end: completed, finished: completed, ended R: completed, opened B",
            "B 2: begun B, ended B, passed end: completed, finished: completed, ended R: completed, opened B",
            "B 3: begun B, ended B, passed end: completed, finished: completed",
        ),
    ),
    Case(
        pattern=22,
        shows="cancelling withdraws every level",
        events=(again(done("A"), "A 1"), again(done("A"), "A 2"), operator("cancel")),
        rules=("A 1 < A 2",),
        data={"limit": 3},
        expect=_all_levels_withdrawn,
    ),
)

CASES: tuple[Case, ...] = (*CYCLES, *LOOPS, *RECURSION)
