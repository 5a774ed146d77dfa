"""Patterns 16 to 18, 39 and 40: what may start depends on what others do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tests.engine.patterns.basic import opened
from tests.engine.patterns.case import Case, Order, Told, begin, done, message, timer

FIRST = {
    "begin A": ("A", ["A begun"]),
    "begin B": ("B", ["B begun"]),
    "A": ("A", ["A ended", "run completed"]),
    "B": ("B", ["B ended", "run completed"]),
    "go": ("W", ["W ended", "after_W opened"]),
    "T due": ("T", ["T ended", "after_T opened"]),
}
COMPETITORS = ("A", "B", "W", "T")


def _first_wins(order: Order) -> Told:
    """The first to happen withdraws the other three; what comes later is refused, lost or does nothing."""
    winner, lines = FIRST[order[0]]
    ended = "run completed" in lines
    told = [opened(*COMPETITORS), [*lines, *(f"{step} withdrawn" for step in COMPETITORS if step != winner)]]
    for name in order[1:]:
        if name == winner:
            told.append([f"{name} ended", "run completed"])
            ended = True
        elif name == "go" and not ended:
            told.append(["go lost"])
        else:
            told.append([] if name == "T due" else [f"{name} refused"])
    return told


DEFERRED_CHOICE = (
    Case(
        pattern=16,
        shows="the first that is begun, gets its message or falls due wins; the others are withdrawn, and stay so",
        events=(begin("A"), begin("B"), message("go"), timer("T"), done("A"), done("B")),
        rules=(*(f"{name} < A" for name in ("begin A", "begin B", "go", "T due")), "A < B"),
        expect=_first_wins,
        literal=(
            "start: passed start, opened A, opened B, opened W, opened T",
            "begin B: withdrawn A, withdrawn W, withdrawn T, passed race, begun B",
            "begin A",
            "T due: ignored",
            "go: lost",
            "A",
            "B: ended B, passed end: completed, finished: completed",
        ),
    ),
    Case(
        pattern=16,
        shows="completing a task at once wins as well",
        events=(done("A"), done("B"), message("go"), timer("T")),
        expect=_first_wins,
    ),
)


def _one_at_a_time(chains: tuple[tuple[str, ...], ...], *, last: str | None) -> Callable[[Order], Told]:
    """Who begins has the key until it completes. Whoever tries meanwhile is refused, and told who has it."""

    def expect(order: Order) -> Told:
        open_ones = [chain[0] for chain in chains]
        following = {step: then for chain in chains for step, then in pairwise(chain)}
        holder, left = "", sum(map(len, chains))
        told = [opened(*open_ones)]
        for name in order:
            step = name.removeprefix("begin ")
            if step == last:
                told.append([f"{name} not offered"] if left else [f"{name} ended", "run completed"])
            elif step not in open_ones:
                told.append([f"{name} not offered"])
            elif holder not in ("", step):
                told.append([f"{name} refused, {holder} has the key"])
            elif name.startswith("begin"):
                holder = step
                told.append([f"{step} begun"])
            else:
                open_ones.remove(step)
                holder, left = "", left - 1
                then = [following[step]] if step in following else []
                open_ones += then
                ending = ([f"{last} opened"] if last else ["run completed"]) if not left else []
                told.append([f"{step} ended", *opened(*then), *ending])
        return told

    return expect


INTERLEAVED_PARALLEL = Case(
    pattern=17,
    shows="A before B and C before D, never two at the same time: a second Begin is refused and names the holder",
    events=tuple(event for step in "ABCD" for event in (begin(step), done(step))),
    rules=("begin A < A", "A < begin B", "begin B < B", "begin C < C", "C < begin D", "begin D < D"),
    expect=_one_at_a_time((("A", "B"), ("C", "D")), last=None),
    literal=(
        "start: passed start, passed split, passed split, opened A, opened C",
        "begin A: begun A",
        "begin C",
        "A: ended A, opened B",
        "begin B: begun B",
        "B: ended B",
        "C: begun C, ended C, opened D",
        "begin D: begun D",
        "D: ended D, joined join, passed join, passed end: completed, finished: completed",
    ),
)
INTERLEAVED = Case(
    pattern=40,
    shows="A, B and C once each in any order, never two at the same time; D only after all three",
    events=(*(event for step in "ABC" for event in (begin(step), done(step))), done("D")),
    rules=tuple(rule for step in "ABC" for rule in (f"begin {step} < {step}", f"{step} < D")),
    expect=_one_at_a_time((("A",), ("B",), ("C",)), last="D"),
    literal=(
        "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
        "begin B: begun B",
        "begin A",
        "begin C",
        "B: ended B",
        "C: begun C, ended C",
        "A: begun A, ended A, joined join, joined join, passed join, opened D",
        "D: begun D, ended D, passed end: completed, finished: completed",
    ),
)


def _while_open(order: Order) -> Told:
    """T is there only while M is: it goes when M pauses, comes back with M, and goes for good when M passes."""
    t_done = m_open = been_open = False
    told = [opened("K")]
    for name in order:
        if name in ("T", "begin T"):
            lines = ["T ended"] if name == "T" else ["T begun"]
            told.append(lines if m_open else [f"{name} {'refused' if been_open else 'not offered'}"])
            t_done = t_done or (m_open and name == "T")
            continue
        came, went = [[] if t_done else [line] for line in ("T opened", "T withdrawn")]
        told.append(
            {
                "K": ["K ended", "M opened", *came],
                "M pause": ["M ended: pause", "P opened", *went],
                "P": ["P ended", "M opened", *came],
                "M pass": ["M ended: pass", *went, "run completed"],
            }[name]
        )
        m_open = name in ("K", "P")
        been_open = been_open or m_open
    return told


MILESTONE_EVENTS = (done("K"), done("M", "pause"), done("P"), done("M", "pass"), done("T"))
MILESTONE_RULES = ("K < M pause", "M pause < P", "P < M pass")
MILESTONE = (
    Case(
        pattern=18,
        shows="T can be done only while M is open: it goes with M, comes back with M, and is withdrawn at the end",
        events=MILESTONE_EVENTS,
        rules=MILESTONE_RULES,
        expect=_while_open,
        literal=(
            "start: passed start, passed split, passed split, opened K",
            "K: begun K, ended K, opened M, opened T",
            "M pause: begun M, ended M: pause, opened P, withdrawn T",
            "T",
            "P: begun P, ended P, opened M, opened T",
            "M pass: begun M, ended M: pass, passed end: completed, withdrawn T, finished: completed",
        ),
    ),
    Case(
        pattern=18,
        shows="that somebody has begun T does not keep it",
        events=(*MILESTONE_EVENTS, begin("T")),
        rules=(*MILESTONE_RULES, "begin T < T"),
        expect=_while_open,
    ),
)


def _sections(order: Order) -> Told:
    """The section that asks first runs X and Y; the other waits in line and runs when Y of the first is complete."""
    told, line, started, place = [opened("A", "B")], [], 0, {1: "", 2: ""}
    for name in order:
        if name in ("A", "B"):
            line.append({"A": "S", "B": "R"}[name])
            free = not place[1] if len(line) == 1 else place[1] == "over"
            started += free
            place[started] = "X" if free else place[started]
            told.append([f"{name} ended", *([f"{line[-1]} opened", "X opened"] if free else [f"{line[-1]} in line"])])
            continue
        step, nth = name[0], int(name[2:])
        if place[nth] != step:
            told.append([f"{name} not offered"])
            continue
        place[nth] = "Y" if step == "X" else "over"
        lines = ["X ended", "Y opened"] if step == "X" else ["Y ended", f"{line[nth - 1]} ended: completed"]
        if step == "Y" and nth == 1 and len(line) == 2:
            started, place[2] = 2, "X"
            lines += [f"{line[1]} begun", "X opened"]
        told.append([*lines, *(["run completed"] if place[1] == place[2] == "over" else [])])
    return told


CRITICAL_SECTION = Case(
    pattern=39,
    shows="two groups of steps (X, then Y) never run at the same time: the second waits in line for the first",
    events=(done("A"), done("B"), *(done(step, visit=nth) for nth in (1, 2) for step in "XY")),
    rules=("X#1 < Y#1", "X#2 < Y#2"),
    expect=_sections,
    also=("39-section",),
    literal=(
        "start: passed start, passed split, passed split, opened A, opened B",
        "B: begun B, ended B, opened R, in line R, begun R, passed start, opened X",
        "A: begun A, ended A, opened S, in line S",
        "X#2",
        "X#1: begun X, ended X, opened Y",
        "Y#2",
        "Y#1: begun Y, ended Y, passed end: completed, finished: completed, ended R: completed, begun S, passed start, "
        "opened X",
    ),
)

CASES: tuple[Case, ...] = (
    *DEFERRED_CHOICE,
    INTERLEAVED_PARALLEL,
    *MILESTONE,
    CRITICAL_SECTION,
    INTERLEAVED,
)
