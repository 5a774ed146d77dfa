"""Patterns 1 to 5, and how a run ends (11, 43)."""

from __future__ import annotations

from tests.engine.patterns.case import Case, Event, Order, Told, again, begin, done, operator

ABC = ("A", "B", "C")


def opened(*steps: str) -> list[str]:
    return [f"{step} opened" for step in steps]


def _sequence(order: Order) -> Told:
    """B is there only after A; before, nobody can complete it."""
    first = order.index("A") < order.index("B early")
    lines = {
        "A": ["A ended", "B opened"],
        "B early": ["B ended", "run completed"] if first else ["B early not offered"],
        "B": ["B refused"] if first else ["B ended", "run completed"],
    }
    return [opened("A"), *(lines[name] for name in order)]


SEQUENCE = Case(
    pattern=1,
    shows="B becomes available only after A is complete",
    events=(done("A"), again(done("B"), "B early"), done("B")),
    rules=("A < B", "B early < B"),
    expect=_sequence,
    literal=(
        "start: passed start, opened A",
        "B early",
        "A: begun A, ended A, opened B",
        "B: begun B, ended B, passed end: completed, finished: completed",
    ),
)


def _all_at_once(order: Order) -> Told:
    """All three are open from the start; each can be begun while the others are; the last one ends the run."""
    told, left = [opened("A", "B", "C")], 3
    for name in order:
        if name.startswith("begin"):
            told.append([f"{name.split()[1]} begun"])
            continue
        left -= 1
        told.append([f"{name} ended", *(["run completed"] if left == 0 else [])])
    return told


PARALLEL_SPLIT = Case(
    pattern=2,
    shows="one thread becomes three, worked on at the same time in any order",
    events=tuple(event for step in ABC for event in (begin(step), done(step))),
    rules=tuple(f"begin {step} < {step}" for step in ABC),
    expect=_all_at_once,
    literal=(
        "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
        "begin A: begun A",
        "begin B: begun B",
        "begin C: begun C",
        "B: ended B, passed end: completed",
        "A: ended A, passed end: completed",
        "C: ended C, passed end: completed, finished: completed",
    ),
)


def _synchronized(order: Order) -> Told:
    """D opens once, right after the last of A, B and C; before, nobody can complete it."""
    told, left = [opened("A", "B", "C")], 3
    for name in order:
        left -= name in ABC
        if name in ABC:
            told.append([f"{name} ended", *(opened("D") if left == 0 else [])])
        elif name == "D early" and left:
            told.append(["D early not offered"])
        else:
            over = name == "D" and "D ended" in told[-1]
            told.append(["D refused"] if over else ["D ended", "run completed"])
    return told


SYNCHRONIZATION = Case(
    pattern=3,
    shows="D starts once, only after every branch has completed",
    events=(done("A"), done("B"), done("C"), again(done("D"), "D early"), done("D")),
    rules=("A < D", "B < D", "C < D", "D early < D"),
    expect=_synchronized,
    literal=(
        "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
        "C: begun C, ended C",
        "A: begun A, ended A",
        "D early",
        "B: begun B, ended B, joined join, joined join, passed join, opened D",
        "D: begun D, ended D, passed end: completed, finished: completed",
    ),
)


def _only(step: str) -> Case:
    others = tuple(again(done(other), f"{other} instead") for other in ABC if other != step)
    amount = {"A": 5000, "B": 1000, "C": 100}[step]

    def expect(order: Order) -> Told:
        lines = {f"{other} instead": [f"{other} instead not offered"] for other in ABC}
        lines[step] = [f"{step} ended", "run completed"]
        return [opened(step), *(lines[name] for name in order)]

    return Case(
        pattern=4,
        shows=f"with {amount} exactly {step} is taken, though guards after it may hold as well",
        events=(done(step), *others),
        data={"amount": amount},
        expect=expect,
        literal=()
        if step != "A"
        else (
            "start: passed start, passed choice, opened A",
            "B instead",
            "A: begun A, ended A, passed end: completed, finished: completed",
            "C instead",
        ),
    )


def _merged(step: str, amount: int) -> Case:
    def expect(order: Order) -> Told:
        return [opened(step), [f"{step} ended", "M opened"], ["M ended", "run completed"]]

    return Case(
        pattern=5,
        shows=f"M opens at once after {step}, and waits for no other branch",
        events=(done(step), done("M")),
        rules=(f"{step} < M",),
        data={"amount": amount},
        expect=expect,
        literal=(
            f"start: passed start, passed choice, opened {step}",
            f"{step}: begun {step}, ended {step}, opened M",
            "M: begun M, ended M, passed end: completed, finished: completed",
        ),
    )


def _ends_with_the_last(order: Order) -> Told:
    """The third branch has ended before anybody works; the run ends when A, B and C are all complete."""
    told, left = [opened("A", "B")], 3
    for name in order:
        left -= 1
        told.append([f"{name} ended", *(opened("C") if name == "B" else []), *(["run completed"] if not left else [])])
    return told


IMPLICIT_TERMINATION = Case(
    pattern=11,
    shows="the run ends when nothing is left to do, whichever branch is last",
    events=(done("A"), done("B"), done("C")),
    rules=("B < C",),
    expect=_ends_with_the_last,
    literal=(
        "start: passed start, passed split, passed split, passed split, opened A, opened B, passed third",
        "A: begun A, ended A, passed first: completed",
        "B: begun B, ended B, opened C",
        "C: begun C, ended C, passed second, finished: completed",
    ),
)


def _terminated(order: Order) -> Told:
    """B's end withdraws whatever is open then; what was finished before stays; the end's own outcome counts."""
    open_ones = ["A", "check", "check[0]", "check[1]", "W"]
    told = [["A opened", "check opened", "check[0] opened", "check[1] opened", "W opened", "B opened"]]
    over = False
    for name in order:
        if over:
            told.append([f"{name} not offered" if name == "A2" and "A" in open_ones else f"{name} refused"])
            continue
        lines = [f"{name} ended"]
        if name == "B":
            lines += [f"{place} withdrawn" for place in open_ones] + ["run rejected"]
            over = True
        else:
            open_ones.remove(name)
            lines += opened("A2") if name == "A" else []
            open_ones += ["A2"] if name == "A" else []
        told.append(lines)
    return told


EXPLICIT_TERMINATION = Case(
    pattern=43,
    shows="reaching the named end stops all remaining work, and that end decides the outcome",
    events=(done("A"), done("A2"), done("check", instance=0), done("B")),
    rules=("A < A2",),
    expect=_terminated,
    literal=(
        "start: passed start, passed split, passed split, passed split, passed split, opened A, opened check, "
        "instance opened check[0], instance opened check[1], opened W, begun W, opened B",
        "check[0]: begun check, instance ended check[0]",
        "A: begun A, ended A, opened A2",
        "B: begun B, ended B, passed stop: rejected, withdrawn A2, withdrawn check, withdrawn W, finished: rejected",
        "A2",
    ),
)

CASES: tuple[Case, ...] = (
    SEQUENCE,
    PARALLEL_SPLIT,
    SYNCHRONIZATION,
    *map(_only, ABC),
    _merged("A", 500),
    _merged("B", 50),
    IMPLICIT_TERMINATION,
    EXPLICIT_TERMINATION,
)
__all__ = ["CASES", "Event", "opened", "operator"]
