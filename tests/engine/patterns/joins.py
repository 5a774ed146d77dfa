"""Patterns 9 and 28 to 33: joins that wait for some of their branches, and for several tokens of each."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.patterns.basic import ABC, opened
from tests.engine.patterns.case import Case, Order, Told, done


def _partial(pattern: int, wanted: int, shows: str, literal: tuple[str, ...]) -> Case:
    """D opens right after the wanted number of branches; the later ones are absorbed, whatever became of D."""

    def expect(order: Order) -> Told:
        told, arrived, left = [opened(*ABC)], 0, 4
        for name in order:
            left -= 1
            arrived += name in ABC
            lines = ["D ended: stop"] if name == "D stop" else [f"{name} ended"]
            fires = name in ABC and arrived == wanted
            told.append([*lines, *(opened("D") if fires else []), *([] if left else ["run completed"])])
        return told

    def allowed(order: Order) -> bool:
        return order.index("D stop") >= wanted

    return Case(
        pattern=pattern,
        shows=shows,
        events=(*map(done, ABC), done("D", "stop")),
        allowed=allowed,
        expect=expect,
        literal=literal,
    )


def _reset(pattern: int, wanted: int) -> Case:
    """All have arrived, so the join starts anew: in the second round D opens after the same number again."""

    def expect(order: Order) -> Told:
        told = [opened(*ABC)]
        for place, name in enumerate(order, 1):
            if name == "D again":
                told.append(["D ended: again", *opened(*ABC)])
                continue
            in_round = place if place <= 3 else place - 4
            told.append([f"{name[0]} ended", *(opened("D") if in_round == wanted else [])])
        return told

    return Case(
        pattern=pattern,
        shows="the join resets after all branches have arrived: the next round opens D again",
        events=(*(done(step, visit=1) for step in ABC), done("D", "again"), *(done(step, visit=2) for step in ABC)),
        rules=tuple(rule for step in ABC for rule in (f"{step}#1 < D again", f"D again < {step}#2")),
        expect=expect,
    )


DISCRIMINATOR_LITERAL = (
    "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
    "B: begun B, ended B, passed join, opened D",
    "C: begun C, ended C, absorbed join",
    "D stop: begun D, ended D: stop, passed end: completed",
    "A: begun A, ended A, absorbed join, finished: completed",
)
PARTIAL_LITERAL = (
    "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
    "B: begun B, ended B",
    "C: begun C, ended C, joined join, passed join, opened D",
    "D stop: begun D, ended D: stop, passed end: completed",
    "A: begun A, ended A, absorbed join, finished: completed",
)

# two threads run through the same three branches


def _rounds(wanted: int) -> Callable[[Order], Told]:
    """How often D has opened by the rule of the definition, whatever the order.

    A round is over when every branch has arrived in it. So by any moment as many rounds are over as the slowest branch
    has arrivals, and the next has opened D if enough branches have arrived once more than that. What a branch sends
    beyond that waits, and is not lost.
    """

    def expect(order: Order) -> Told:
        told, arrived, so_far = [["A opened", "B opened", "C opened"] * 2], dict.fromkeys(ABC, 0), 0
        for name in order[: 2 * len(ABC)]:
            arrived[name[0]] += 1
            over = min(arrived.values())
            times = over + (sum(count > over for count in arrived.values()) >= wanted)
            told.append([f"{name[0]} ended", *["D opened"] * (times - so_far)])
            so_far = times
        return [*told, ["D ended"], ["D ended", "run completed"]]

    return expect


def _two_threads(pattern: int, wanted: int, shows: str, literal: tuple[str, ...]) -> Case:
    names = [f"{step}#{nth}" for step in ABC for nth in (1, 2)]
    return Case(
        pattern=pattern,
        shows=shows,
        events=(*(done(step, visit=nth) for step in ABC for nth in (1, 2)), done("D", visit=1), done("D", visit=2)),
        rules=(*(f"{step}#1 < {step}#2" for step in ABC), *(f"{name} < D#1" for name in names), "D#1 < D#2"),
        expect=_rounds(wanted),
        literal=literal,
    )


FORKED = (
    "start: passed start, passed twice, passed twice, passed fork, passed fork, passed fork, passed fork, passed fork, "
    "passed fork, opened A, opened B, opened C, opened A, opened B, opened C"
)
D_TWICE = (
    "D#1: begun D, ended D, passed end: completed",
    "D#2: begun D, ended D, passed end: completed, finished: completed",
)
TWO_THREADS = (
    _two_threads(
        28,
        1,
        "the second arrivals of a branch wait until the reset; then the first of them opens D again",
        (
            FORKED,
            "A#1: begun A, ended A, passed join, opened D",
            "A#2: begun A, ended A",
            "B#1: begun B, ended B, absorbed join",
            "C#1: begun C, ended C, absorbed join, passed join, opened D",
            "C#2: begun C, ended C, absorbed join",
            "B#2: begun B, ended B, absorbed join",
            *D_TWICE,
        ),
    ),
    _two_threads(
        31,
        2,
        "the second arrivals of a branch wait until the reset; then two of them open D again",
        (
            FORKED,
            "A#1: begun A, ended A",
            "A#2: begun A, ended A",
            "B#1: begun B, ended B, joined join, passed join, opened D",
            "B#2: begun B, ended B",
            "C#1: begun C, ended C, absorbed join, joined join, passed join, opened D",
            "C#2: begun C, ended C, absorbed join",
            *D_TWICE,
        ),
    ),
    _two_threads(
        33,
        3,
        "several tokens of each branch are paired up: D opens once for each complete set, and none is lost",
        (
            FORKED,
            "A#1: begun A, ended A",
            "A#2: begun A, ended A",
            "B#1: begun B, ended B",
            "B#2: begun B, ended B",
            "C#1: begun C, ended C, joined join, joined join, passed join, opened D",
            "C#2: begun C, ended C, joined join, joined join, passed join, opened D",
            *D_TWICE,
        ),
    ),
)

# the others are cancelled


def _first_cancels(order: Order) -> Told:
    """The first to arrive (B, C, or A2 after A) opens D and withdraws the others; they can be completed no more."""
    told, open_ones, fired = [opened(*ABC)], ["A", "B", "C"], False
    for name in order[:-1]:
        if fired:
            gone = name != "A2" or "A2" in open_ones
            told.append([f"{name} refused" if gone else f"{name} not offered"])
            continue
        open_ones.remove(name)
        if name == "A":
            open_ones.append("A2")
            told.append(["A ended", "A2 opened"])
            continue
        fired = True
        told.append([f"{name} ended", *(f"{step} withdrawn" for step in open_ones), "D opened"])
    return [*told, ["D ended", "run completed"]]


CANCELLING_DISCRIMINATOR = Case(
    pattern=29,
    shows="the first arrival goes on and the other branches are cancelled, wherever they are",
    events=(done("A"), done("A2"), done("B"), done("C"), done("D")),
    rules=("A < A2", *(f"{step} < D" for step in ("A", "A2", "B", "C"))),
    expect=_first_cancels,
    literal=(
        "start: passed start, passed split, passed split, passed split, opened A, opened B, opened C",
        "A: begun A, ended A, opened A2",
        "C: begun C, ended C, withdrawn A2, withdrawn B, passed join, opened D",
        "A2",
        "B",
        "D: begun D, ended D, passed end: completed, finished: completed",
    ),
)


def _second_cancels(order: Order) -> Told:
    """The second of A, B, C and E opens D and withdraws the other two."""
    first, second, *others = order[:-1]
    return [
        opened("A", "B", "C", "E"),
        [f"{first} ended"],
        [f"{second} ended", *(f"{step} withdrawn" for step in others), "D opened"],
        *([f"{step} refused"] for step in others),
        ["D ended", "run completed"],
    ]


CANCELLING_PARTIAL = Case(
    pattern=32,
    shows="after two of four branches the others are cancelled",
    events=(*map(done, ("A", "B", "C", "E")), done("D")),
    rules=tuple(f"{step} < D" for step in ("A", "B", "C", "E")),
    expect=_second_cancels,
    literal=(
        "start: passed start, passed split, passed split, passed split, passed split, "
        "opened A, opened B, opened C, opened E",
        "E: begun E, ended E",
        "B: begun B, ended B, joined join, withdrawn A, withdrawn C, passed join, opened D",
        "A",
        "C",
        "D: begun D, ended D, passed end: completed, finished: completed",
    ),
)

CASES: tuple[Case, ...] = (
    _partial(9, 1, "the first branch opens D, the others are absorbed", DISCRIMINATOR_LITERAL),
    _reset(9, 1),
    _partial(30, 2, "the second branch opens D, the third is absorbed", PARTIAL_LITERAL),
    _reset(30, 2),
    *TWO_THREADS,
    CANCELLING_DISCRIMINATOR,
    CANCELLING_PARTIAL,
)
