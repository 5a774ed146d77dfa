"""Patterns 6 to 8, 37, 38, 41 and 42: branches that are chosen, and threads that meet or divide."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from tests.engine.patterns.basic import ABC, opened
from tests.engine.patterns.case import Case, Order, Told, done

SUBSETS = [subset for size in range(4) for subset in combinations(ABC, size)]


def _chosen(subset: tuple[str, ...]) -> Case:
    taken = subset or ("N",)

    def expect(order: Order) -> Told:
        told, left = [opened(*taken)], len(taken)
        for name in order:
            left -= 1
            told.append([f"{name} ended", *([] if left else ["run completed"])])
        return told

    return Case(
        pattern=6,
        shows=f"the conditions choose {' and '.join(taken)}, and nothing else",
        events=tuple(done(step) for step in taken),
        data={step.lower(): int(step in subset) for step in ABC},
        expect=expect,
        literal=()
        if subset != ("A", "C")
        else (
            "start: passed start, passed split, passed split, opened A, opened C",
            "C: begun C, ended C, passed end: completed",
            "A: begun A, ended A, passed end: completed, finished: completed",
        ),
    )


def _chosen_and_merged(subset: tuple[str, ...]) -> Case:
    taken = subset or ("N",)

    def expect(order: Order) -> Told:
        """D opens once, right after the last of the branches that were chosen; it waits for no other."""
        told, left = [opened(*taken)], len(taken)
        for name in order[:-1]:
            left -= 1
            told.append([f"{name} ended", *([] if left else opened("D"))])
        return [*told, ["D ended", "run completed"]]

    return Case(
        pattern=7,
        shows=f"D waits for exactly {' and '.join(taken)}",
        events=(*(done(step) for step in taken), done("D")),
        rules=tuple(f"{step} < D" for step in taken),
        data={step.lower(): int(step in subset) for step in ABC},
        expect=expect,
        literal=()
        if subset != ("A", "C")
        else (
            "start: passed start, passed split, passed split, opened A, opened C",
            "C: begun C, ended C",
            "A: begun A, ended A, joined join, passed join, opened D",
            "D: begun D, ended D, passed end: completed, finished: completed",
        ),
    )


def _every_arrival(order: Order) -> Told:
    """Each of A, B and C opens M once, at once; the run ends when all six are complete."""
    told, left = [opened(*ABC)], 6
    for name in order:
        left -= 1
        lines = [f"{name} ended", "M opened"] if name in ABC else ["M ended"]
        told.append([*lines, *([] if left else ["run completed"])])
    return told


def _each_m_is_there(order: Order) -> bool:
    """The n-th M opens with the n-th of A, B and C."""
    arrived = 0
    for name in order:
        arrived += name in ABC
        if name not in ABC and int(name.removeprefix("M#")) > arrived:
            return False
    return True


MULTI_MERGE = Case(
    pattern=8,
    shows="three arrivals give three runs of M, at the same time where people work so",
    events=(*map(done, ABC), *(done("M", visit=nth) for nth in (1, 2, 3))),
    allowed=_each_m_is_there,
    expect=_every_arrival,
    literal=(
        "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
        "B: begun B, ended B, opened M",
        "A: begun A, ended A, opened M",
        "M#2: begun M, ended M, passed end: completed",
        "C: begun C, ended C, opened M",
        "M#1: begun M, ended M, passed end: completed",
        "M#3: begun M, ended M, passed end: completed, finished: completed",
    ),
)


def _crossing(taken: tuple[str, ...], inner: bool) -> Case:
    """A leads into a second split whose branches meet B's at one join: no pair of split and join is nested."""
    after_a = ("E", "F") if inner else ("F",)
    waits_for = tuple(step for step in taken if step != "A") + (after_a if "A" in taken else ())

    def expect(order: Order) -> Told:
        """D opens once, right after the last of the branches that were taken in either split."""
        told, left = [opened(*taken)], len(waits_for)
        for name in order[:-1]:
            left -= name in waits_for
            ready = name in waits_for and not left
            told.append([f"{name} ended", *(opened(*after_a) if name == "A" else []), *(opened("D") if ready else [])])
        return [*told, ["D ended", "run completed"]]

    steps = tuple(dict.fromkeys((*taken, *waits_for)))
    return Case(
        pattern=37,
        shows=f"D waits for {' and '.join(waits_for)}: those that can still arrive",
        events=(*map(done, steps), done("D")),
        rules=(*(f"{step} < D" for step in steps), *(f"A < {step}" for step in after_a)),
        data={"a": int("A" in taken), "b": int("B" in taken), "c": int(inner)},
        expect=expect,
        literal=()
        if (taken, inner) != (("A", "B"), True)
        else (
            "start: passed start, passed split, passed split, opened A, opened B",
            "B: begun B, ended B",
            "A: begun A, ended A, passed inner, passed inner, opened E, opened F",
            "F: begun F, ended F",
            "E: begun E, ended E, joined join, joined join, passed join, opened D",
            "D: begun D, ended D, passed end: completed, finished: completed",
        ),
    )


# 38: A may come to the join, work once more, leave for L (from which no way leads to the join), or cross over to B; B
# may come to the join or leave. The walks say what is done, in every order.

LEADS = {
    "A again": "A opened",
    "A leave": "L opened",
    "A across": "B opened",
}
AT_JOIN = ("A join", "B join", "B#1 join", "B#2 join")


def _can_still_arrive(order: Order) -> Told:
    """D opens as soon as somebody waits for it and neither A nor B is open any more; never if nobody waits."""
    told, open_ones, waiting = [opened("A", "B")], Counter({"A": 1, "B": 1}), 0
    for name in order:
        step, outcome = name.split("#")[0].split()[0], name.split()[1] if " " in name else ""
        lines = [f"{step} ended" + (f": {outcome}" if outcome else "")]
        open_ones[step] -= 1
        if name in LEADS:
            lines.append(LEADS[name])
            open_ones[LEADS[name].split()[0]] += 1
        waiting += name in AT_JOIN
        if waiting and not open_ones["A"] and not open_ones["B"]:
            lines.append("D opened")
            waiting, open_ones["D"] = 0, 1
        told.append([*lines, *([] if waiting or open_ones.total() else ["run completed"])])
    return told


def _general(shows: str, *names: str, rules: tuple[str, ...] = (), literal: tuple[str, ...] = ()) -> Case:
    steps = {name: name.split() for name in names}
    events = []
    for name, (place, *outcome) in steps.items():
        step, _, nth = place.partition("#")
        event = done(step, *outcome, visit=int(nth) if nth else None)
        assert event.name == name
        events.append(event)
    return Case(pattern=38, shows=shows, events=tuple(events), rules=rules, expect=_can_still_arrive, literal=literal)


GENERAL = (
    _general("both come: D waits for both", "A join", "B join", "D", rules=("A join < D", "B join < D")),
    _general(
        "A goes round once more and D waits for it",
        "A again",
        "A join",
        "B join",
        "D",
        rules=("A again < A join", "A join < D", "B join < D"),
        literal=(
            "start: passed start, passed split, passed split, opened A, opened B",
            "B join: begun B, ended B: join",
            "A again: begun A, ended A: again, opened A",
            "A join: begun A, ended A: join, joined join, passed join, opened D",
            "D: begun D, ended D, passed end: completed, finished: completed",
        ),
    ),
    _general(
        "A leaves for a branch that cannot come back: D waits for B only, though L is still open",
        "A leave",
        "B join",
        "L",
        "D",
        rules=("A leave < L", "A leave < D", "B join < D"),
    ),
    _general(
        "A crosses over: B is worked on twice, and D waits for both",
        "A across",
        "B#1 join",
        "B#2 join",
        "D",
        rules=("A across < B#2 join", "B#1 join < D", "B#2 join < D"),
    ),
    _general("nobody comes: D never opens", "A leave", "B leave", "L", rules=("A leave < L",)),
    _general("only A comes", "A join", "B leave", "D", rules=("A join < D", "B leave < D")),
)


def _pairs(order: Order) -> Told:
    """D opens with the second and with the fourth of the four threads; each time two threads become one."""
    told, arrived, left = [["A opened"] * 4], 0, 6
    for name in order:
        left -= 1
        arrived += name.startswith("A")
        fires = name.startswith("A") and arrived % 2 == 0
        told.append([f"{name[0]} ended", *(["D opened"] if fires else []), *([] if left else ["run completed"])])
    return told


def _each_d_is_there(order: Order) -> bool:
    return all(sum(name.startswith("A") for name in order[: order.index(f"D#{nth}")]) >= 2 * nth for nth in (1, 2))


THREAD_MERGE = Case(
    pattern=41,
    shows="of four threads in one branch each two become one",
    events=(*(done("A", visit=nth) for nth in (1, 2, 3, 4)), done("D", visit=1), done("D", visit=2)),
    allowed=_each_d_is_there,
    expect=_pairs,
    literal=(
        "start: passed start, passed threads, passed threads, passed threads, passed threads, "
        "opened A, opened A, opened A, opened A",
        "A#3: begun A, ended A",
        "A#1: begun A, ended A, joined join, passed join, opened D",
        "A#2: begun A, ended A",
        "D#1: begun D, ended D, passed end: completed",
        "A#4: begun A, ended A, joined join, passed join, opened D",
        "D#2: begun D, ended D, passed end: completed, finished: completed",
    ),
)


def _threads(order: Order) -> Told:
    """Three threads from the start, each goes its own way through A and B."""
    told, left = [["A opened"] * 3], 6
    for name in order:
        left -= 1
        lines = ["A ended", "B opened"] if name.startswith("A") else ["B ended"]
        told.append([*lines, *([] if left else ["run completed"])])
    return told


def _each_b_is_there(order: Order) -> bool:
    return all(sum(name.startswith("A") for name in order[: order.index(f"B#{nth}")]) >= nth for nth in (1, 2, 3))


THREAD_SPLIT = Case(
    pattern=42,
    shows="one thread becomes three in the same branch",
    events=(*(done("A", visit=nth) for nth in (1, 2, 3)), *(done("B", visit=nth) for nth in (1, 2, 3))),
    allowed=_each_b_is_there,
    expect=_threads,
    literal=(
        "start: passed start, passed threads, passed threads, passed threads, opened A, opened A, opened A",
        "A#2: begun A, ended A, opened B",
        "B#1: begun B, ended B, passed end: completed",
        "A#1: begun A, ended A, opened B",
        "A#3: begun A, ended A, opened B",
        "B#3: begun B, ended B, passed end: completed",
        "B#2: begun B, ended B, passed end: completed, finished: completed",
    ),
)

CASES: tuple[Case, ...] = (
    *map(_chosen, SUBSETS),
    *map(_chosen_and_merged, SUBSETS),
    MULTI_MERGE,
    *(_crossing(taken, inner) for taken in (("A",), ("B",), ("A", "B")) for inner in (False, True)),
    _crossing(("N",), False),
    *GENERAL,
    THREAD_MERGE,
    THREAD_SPLIT,
)
