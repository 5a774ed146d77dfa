"""Patterns 23 and 24: messages that are lost or kept."""

from __future__ import annotations

from tests.engine.patterns.case import Case, Order, Told, done, message


def _lost(order: Order) -> Told:
    """A message wakes the wait that opened first; one that comes while nothing waits is lost, and the run waits on."""
    opens, waits = {"A": "W", "C": "V"}, []
    told = [["A opened", "C opened"]]
    for name in order:
        if name in opens:
            waits.append(opens[name])
            told.append([f"{name} ended", f"{waits[-1]} opened"])
        elif waits:
            woken = waits.pop(0)
            told.append([f"{woken} ended", *(["B opened"] if woken == "W" else [])])
        else:
            told.append(["go lost"])
    return told


TRANSIENT = Case(
    pattern=23,
    shows="a message works only if something waits at that moment: else it is lost, and it wakes one wait only",
    events=(done("A"), done("C"), message("go"), message("go", nth=2)),
    expect=_lost,
    literal=(
        "start: passed start, passed split, passed split, opened A, opened C",
        "go: lost",
        "C: begun C, ended C, opened V, begun V",
        "A: begun A, ended A, opened W, begun W",
        "go 2: ended V, passed end: completed",
    ),
)


def _kept(order: Order) -> Told:
    """Each message is used by one wait, at once or when the wait opens; W takes the first, V the second."""
    told, sent, is_open = [["A opened"]], 0, False
    for name in order:
        passed_before = sent if is_open else 0
        is_open, sent = is_open or name == "A", sent + (name != "A")
        lines = ["A ended", "W opened"] if name == "A" else []
        passed = sent if is_open else 0
        for wait, following in (("W", "V"), ("V", "B"))[passed_before:passed]:
            lines += [f"{wait} ended", f"{following} opened"]
        told.append(lines if is_open else ["go kept"])
    return told


def _kept_once(order: Order) -> Told:
    """One message opens one wait; the second wait stays closed to B until another comes."""
    before = order.index("go") < order.index("A")
    first = [["go kept"], ["A ended", "W opened", "W ended", "V opened"]]
    then = [["A ended", "W opened"], ["W ended", "V opened"]]
    return [["A opened"], *(first if before else then)]


PERSISTENT = (
    Case(
        pattern=24,
        shows="a message is kept until a wait can use it",
        events=(done("A"), message("go"), message("go", nth=2)),
        expect=_kept,
        literal=(
            "start: passed start, opened A",
            "go: kept",
            "A: begun A, ended A, opened W, begun W, ended W, opened V, begun V",
            "go 2: ended V, opened B",
        ),
    ),
    Case(
        pattern=24,
        shows="a message that was kept is used once",
        events=(done("A"), message("go")),
        expect=_kept_once,
    ),
)
CASES: tuple[Case, ...] = (TRANSIENT, *PERSISTENT)
