"""Patterns 12 to 15, 26, 27 and 34 to 36: several instances of one step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tests.engine.patterns.basic import opened
from tests.engine.patterns.case import Case, Event, Order, Told, again, done, operator, timer

THREE = ("check[0]", "check[1]", "check[2]")


def part(index: int, outcome: str = "done") -> Event:
    return done("check", outcome, instance=index)


def parts(number: int) -> tuple[Event, ...]:
    return tuple(map(part, range(number)))


def opening(number: int, step: str = "check") -> list[str]:
    return opened(step, *(f"{step}[{index}]" for index in range(number)))


def _without_waiting(order: Order) -> Told:
    """N is there from the start, beside all three; the run ends with the last of the four."""
    told, left = [[*opening(3), "check ended", "N opened"]], 4
    for name in order:
        left -= 1
        told.append([f"{name} ended", *([] if left else ["run completed"])])
    return told


WITHOUT_SYNCHRONIZATION = Case(
    pattern=12,
    shows="three independent instances; the run goes on without waiting for any, and none of them is lost",
    events=(*parts(3), done("N")),
    expect=_without_waiting,
    literal=(
        "start: passed start, opened check, instance opened check[0], instance opened check[1], "
        "instance opened check[2], begun check, ended check, opened N",
        "check[1]: instance ended check[1]",
        "N: begun N, ended N, passed end: completed",
        "check[2]: instance ended check[2]",
        "check[0]: instance ended check[0], finished: completed",
    ),
)


def _all_of_three(order: Order) -> Told:
    """N opens right after the last of the three; before, nobody can complete it."""
    told, left = [opening(3)], 3
    for name in order:
        left -= name in THREE
        if name in THREE:
            told.append([f"{name} ended", *([] if left else ["check ended", "N opened"])])
        elif left:
            told.append([f"{name} not offered"])
        else:
            told.append(["N refused"] if "N ended" in told[-1] else ["N ended", "run completed"])
    return told


DESIGN_TIME = Case(
    pattern=13,
    shows="three instances, fixed in the document; N opens when all three are complete",
    events=(*parts(3), again(done("N"), "N early"), done("N")),
    rules=("N early < N", *(f"{name} < N" for name in THREE)),
    expect=_all_of_three,
    literal=(
        "start: passed start, opened check, instance opened check[0], instance opened check[1], "
        "instance opened check[2]",
        "check[2]: begun check, instance ended check[2]",
        "check[0]: instance ended check[0]",
        "N early",
        "check[1]: instance ended check[1], ended check, opened N",
        "N: begun N, ended N, passed end: completed, finished: completed",
    ),
)


def _run_time(number: int, literal: tuple[str, ...] = ()) -> Case:
    """A, then `check` (all at the same time), then `one` (one after the other), each with as many as the data say."""
    checks = parts(number)
    ones = tuple(done("one", instance=index) for index in range(number))
    last_one = ["one ended", "N opened"]

    def expect(order: Order) -> Told:
        one = ["check ended", "one opened", *(["one[0] opened"] if number else last_one)]
        told, left = [opened("A"), ["A ended", *opening(number), *([] if number else one)]], number
        for name in order[1 : number + 1]:
            left -= 1
            told.append([f"{name} ended", *([] if left else one)])
        for index in range(number):
            following = [f"one[{index + 1}] opened"] if index + 1 < number else last_one
            told.append([f"one[{index}] ended", *following])
        return [*told, ["N ended", "run completed"]]

    chain = ("A", *(event.name for event in ones), "N")
    return Case(
        pattern=14,
        shows=f"as many instances as the data say when the step starts, here {number}; N opens after all",
        events=(done("A"), *checks, *ones, done("N")),
        rules=(
            *(f"{first} < {then}" for first, then in pairwise(chain)),
            *(f"A < {event.name}" for event in checks),
            *(f"{event.name} < {chain[1]}" for event in checks),
        ),
        data={"number": number},
        expect=expect,
        literal=literal,
    )


RUN_TIME = (
    _run_time(0),
    _run_time(1),
    _run_time(
        3,
        (
            "start: passed start, opened A",
            "A: begun A, ended A, opened check, instance opened check[0], instance opened check[1], "
            "instance opened check[2]",
            "check[1]: begun check, instance ended check[1]",
            "check[2]: instance ended check[2]",
            "check[0]: instance ended check[0], ended check, opened one, instance opened one[0]",
            "one[0]: begun one, instance ended one[0], instance opened one[1]",
            "one[1]: instance ended one[1], instance opened one[2]",
            "one[2]: instance ended one[2], ended one, opened N",
            "N: begun N, ended N, passed end: completed, finished: completed",
        ),
    ),
)


def _open_ended(order: Order) -> Told:
    """The step ends when it is closed and everything in it is complete, whichever comes last; then nothing is added."""
    told, left, number, closed = [opening(2)], 2, 2, False
    for name in order[:-1]:
        if name == "add check" and closed:
            told.append([f"{name} refused"])
            continue
        if name == "check[2]" and number == 2:
            told.append([f"{name} not offered"])
            continue
        lines = {"add check": ["check[2] opened"], "close check": []}.get(name, [f"{name} ended"])
        number += name == "add check"
        left += 1 if name == "add check" else -1 if name.startswith("check[") else 0
        closed = closed or name == "close check"
        told.append([*lines, *(["check ended", "N opened"] if closed and not left else [])])
    return [*told, ["N ended", "run completed"]]


OPEN_ENDED = Case(
    pattern=15,
    shows="an instance is added while others run; N opens when all are complete and none can be added any more",
    events=(*parts(2), operator("add", "check", item=2), part(2), operator("close", "check"), done("N")),
    rules=(
        "add check < check[2]",
        *(f"{name} < N" for name in ("check[0]", "check[1]", "check[2]", "close check")),
    ),
    expect=_open_ended,
    literal=(
        "start: passed start, opened check, instance opened check[0], instance opened check[1]",
        "check[0]: begun check, instance ended check[0]",
        "check[1]: instance ended check[1]",
        "add check: instance opened check[2]",
        "close check",
        "check[2]: instance ended check[2], ended check, opened N",
        "N: begun N, ended N, passed end: completed, finished: completed",
    ),
)


def _stopped(stop: str, lines: list[str], ending: list[str]) -> Callable[[Order], Told]:
    """`stop` withdraws what is unfinished, and what is finished stays; it changes nothing once all are finished."""

    def expect(order: Order) -> Told:
        told: Told = []
        unfinished = list(THREE)
        stopped = False
        for name in order:
            if name in THREE and stopped:
                told.append([f"{name} refused"])
            elif name in THREE:
                unfinished.remove(name)
                told.append([f"{name} ended", *([] if unfinished else ["check ended", "N opened"])])
            elif name == stop and unfinished:
                stopped = True
                told.append([*lines, *(f"{each} withdrawn" for each in unfinished), *ending])
        return told

    return expect


def _activity_cancelled(order: Order) -> Told:
    """K withdraws the unfinished instances, and N never opens; where all three are complete before, N stays."""
    told = _stopped("K", ["K ended", "check withdrawn"], ["run completed"])(order)
    too_late = order.index("K") == 3
    tail = [["K ended"], ["N ended", "run completed"]] if too_late else [["N not offered"]]
    return [[*opening(3), "K opened"], *told, *tail]


CANCELLED_ACTIVITY = Case(
    pattern=26,
    shows="all unfinished instances are withdrawn, finished ones stay, and nothing follows",
    events=(*parts(3), done("K"), done("N")),
    rules=("K < N", *(f"{name} < N" for name in THREE)),
    expect=_activity_cancelled,
    literal=(
        "start: passed start, passed split, passed split, opened check, instance opened check[0], "
        "instance opened check[1], instance opened check[2], opened K",
        "check[1]: begun check, instance ended check[1]",
        "K: begun K, withdrawn check, ended K, passed end: completed, finished: completed",
        "check[0]",
        "check[2]",
        "N",
    ),
)


def _finished_early(order: Order) -> Told:
    """`finish` withdraws what is unfinished and N opens; when all were complete before, there is nothing to finish."""
    told = _stopped("finish check", ["check ended"], ["N opened"])(order)
    too_late = order.index("finish check") == 3
    return [opening(3), *told, *([["finish check refused"]] if too_late else []), ["N ended", "run completed"]]


def _out_of_time(order: Order) -> Told:
    """The deadline withdraws what is unfinished and L opens; when all were complete before, it does nothing."""
    told = _stopped("check due", ["check withdrawn"], ["L opened"])(order)
    too_late = order.index("check due") == 3
    n, other = (["N ended", "run completed"], ["L not offered"])
    tail = [[], n, other] if too_late else [["N not offered"], ["L ended", "run completed"]]
    return [opening(3), *told, *tail]


COMPLETED_ACTIVITY = (
    Case(
        pattern=27,
        shows="an operator finishes the step: unfinished instances are withdrawn and the run goes on",
        events=(*parts(3), operator("finish", "check"), done("N")),
        rules=("finish check < N", *(f"{name} < N" for name in THREE)),
        expect=_finished_early,
        literal=(
            "start: passed start, opened check, instance opened check[0], instance opened check[1], "
            "instance opened check[2]",
            "check[0]: begun check, instance ended check[0]",
            "finish check: ended check, opened N",
            "check[1]",
            "check[2]",
            "N: begun N, ended N, passed end: completed, finished: completed",
        ),
    ),
    Case(
        pattern=27,
        shows="a deadline passes: unfinished instances are withdrawn and the run goes on by the deadline's arrow",
        events=(*parts(3), timer("check", "late"), done("N"), done("L")),
        rules=("check due < N", *(f"{name} < N" for name in THREE), "N < L"),
        expect=_out_of_time,
        literal=(
            "start: passed start, opened check, instance opened check[0], instance opened check[1], "
            "instance opened check[2]",
            "check[0]: begun check, instance ended check[0]",
            "check due: overdue check: late, withdrawn check, opened L",
            "check[1]",
            "check[2]",
            "N",
            "L: begun L, ended L, passed end: completed, finished: completed",
        ),
    ),
)


def _after_two(order: Order) -> bool:
    return order.index("N") >= 2


def _two_of_three(order: Order) -> Told:
    """N opens right after the second; the third may finish before or after N, and opens nothing."""
    told, finished, left = [opening(3)], 0, 4
    for name in order:
        left -= 1
        finished += name != "N"
        fires = name != "N" and finished == 2
        told.append(
            [f"{name} ended", *(["check ended", "N opened"] if fires else []), *([] if left else ["run completed"])]
        )
    return told


STATIC_PARTIAL = Case(
    pattern=34,
    shows="two of three instances let the run continue; the third may still finish, and is waited for at the end",
    events=(*parts(3), done("N")),
    allowed=_after_two,
    expect=_two_of_three,
    literal=(
        "start: passed start, opened check, instance opened check[0], instance opened check[1], "
        "instance opened check[2]",
        "check[2]: begun check, instance ended check[2]",
        "check[0]: instance ended check[0], ended check, opened N",
        "N: begun N, ended N, passed end: completed",
        "check[1]: instance ended check[1], finished: completed",
    ),
)


def _third_is_cancelled(order: Order) -> Told:
    """N opens right after the second, the third is withdrawn and cannot be completed any more."""
    finished = [name for name in order if name != "N"]
    told = [opening(3)]
    for name in order:
        if name == "N":
            told.append(["N ended", "run completed"])
        elif name == finished[2]:
            told.append([f"{name} refused"])
        else:
            rest = [f"{finished[2]} withdrawn", "check ended", "N opened"]
            told.append([f"{name} ended", *(rest if name == finished[1] else [])])
    return told


CANCELLING_PARTIAL = Case(
    pattern=35,
    shows="after two of three instances the third is cancelled",
    events=(*parts(3), done("N")),
    allowed=_after_two,
    expect=_third_is_cancelled,
    literal=(
        "start: passed start, opened check, instance opened check[0], instance opened check[1], "
        "instance opened check[2]",
        "check[2]: begun check, instance ended check[2]",
        "check[0]: instance ended check[0], ended check, opened N",
        "check[1]",
        "N: begun N, ended N, passed end: completed, finished: completed",
    ),
)


def _dynamic(order: Order) -> Told:
    """Read after each event: one `no`, or more than half of those there are by then, and N opens. Added ones count."""
    told, number, finished, over = [opening(2)], 2, 0, False
    for name in order[:-1]:
        if name.startswith("add"):
            told.append([f"{name} refused"] if over else [f"check[{number}] opened"])
            number += not over
            continue
        finished += 1
        place, outcome = name.split()
        enough = not over and (outcome == "no" or 2 * finished > number)
        told.append([f"{place} ended: {outcome}", *(["check ended", "N opened"] if enough else [])])
        over = over or enough
    reached = ["N ended", *([] if finished < number else ["run completed"])]
    return [*told, reached if over else ["N not offered"]]


ADD = operator("add", "check", item=9)
DYNAMIC_PARTIAL = (
    Case(
        pattern=36,
        shows="the condition counts what was added meanwhile",
        events=(part(0, "yes"), part(1, "yes"), ADD, again(ADD, "add check 2"), done("N")),
        rules=tuple(f"{name} < N" for name in ("check[0] yes", "check[1] yes", "add check", "add check 2")),
        expect=_dynamic,
        literal=(
            "start: passed start, opened check, instance opened check[0], instance opened check[1]",
            "add check: instance opened check[2]",
            "check[0] yes: begun check, instance ended check[0]: yes",
            "check[1] yes: instance ended check[1]: yes, ended check, opened N",
            "add check 2",
            "N: begun N, ended N, passed end: completed",
        ),
    ),
    Case(
        pattern=36,
        shows="the condition reads the outcomes: a single no lets the run continue at once",
        events=(part(0, "no"), part(1, "yes"), ADD, done("N")),
        rules=tuple(f"{name} < N" for name in ("check[0] no", "check[1] yes", "add check")),
        expect=_dynamic,
    ),
)

CASES: tuple[Case, ...] = (
    WITHOUT_SYNCHRONIZATION,
    DESIGN_TIME,
    *RUN_TIME,
    OPEN_ENDED,
    CANCELLED_ACTIVITY,
    *COMPLETED_ACTIVITY,
    STATIC_PARTIAL,
    CANCELLING_PARTIAL,
    *DYNAMIC_PARTIAL,
)
