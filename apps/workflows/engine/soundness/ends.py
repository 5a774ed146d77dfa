"""How runs end: with which outcomes, and where one run may come to ends of different ones, so that the last decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.problems import Severity
from apps.workflows.engine.soundness.search import Finding, Move, Space
from apps.workflows.engine.soundness.side import Side

Node = tuple[int, str]


def outcomes(space: Space) -> frozenset[str]:
    """The outcomes a run can end with; empty text where it came to no end that has one."""
    settings = {step.id: step.settings for step in space.frame.definition.steps}
    last: list[set[str]] = [set() for _ in space.states]
    waiting = [(move.target, _after("", move, settings)) for move in space.starts]
    while waiting:
        number, outcome = waiting.pop()
        if outcome not in last[number]:
            last[number].add(outcome)
            waiting += [(move.target, _after(outcome, move, settings)) for move in space.moves[number]]
    ended = (last[number] for number, state in enumerate(space.states) if not state.records)
    return frozenset(outcome for each in ended for outcome in each)


def _after(outcome: str, move: Move, settings: Mapping[str, Mapping[str, Any]]) -> str:
    told = [settings[end]["outcome"] for end in move.ends if "outcome" in settings[end]]
    return told[-1] if told else outcome


def different_ends(space: Space) -> Iterator[Finding]:
    """Pairs of ends with different outcomes on one way, with a shortest one; the second end of the way is named.

    An end that terminates decides, so it is not one of them.
    """
    counted = space.counted_ends
    for (first, second), way in sorted(_pairs(space, counted).items()):
        yield _finding(second, counted[second], first, counted[first], way)


def different_side_ends(main: Space, side: Side, space: Space) -> Iterator[Finding]:
    """The ends of a side branch that end the run otherwise than an end the run comes to from the step it belongs to.

    Their ways begin with the deadline.
    """
    others = {end: outcome for end, outcome in main.counted_ends.items() if end in main.alive and end in side.onward}
    for end, outcome in space.counted_ends.items():
        other = next((one for one, its in others.items() if its != outcome), None)
        if end in space.alive and other is not None:
            first, *rest = _way_to_end(space, end)
            passed = first._replace(text=f"deadline {side.deadline!r} of {side.step}")
            yield _finding(end, outcome, other, others[other], (passed, *rest))


def _finding(end: str, outcome: str, other: str, others: str, way: tuple[Move, ...]) -> Finding:
    text = f"one run may come here ({outcome}) and to {other!r} ({others}); the last one decides."
    return Finding("different_ends", end, text, way, Severity.WARNING)


def _pairs(space: Space, counted: Mapping[str, str]) -> dict[tuple[str, str], tuple[Move, ...]]:
    """Ends of different outcomes that one run can come to, in that order, with a shortest way; each pair once.

    Breadth first over states and one end passed on the way, whichever.
    """
    found: dict[tuple[str, str], tuple[Move, ...]] = {}
    came: dict[Node, tuple[Node | None, Move]] = {}
    waiting: deque[tuple[Node | None, Move]] = deque((None, move) for move in space.starts)
    while waiting:
        node, move = waiting.popleft()
        passed = [end for end in move.ends if end in counted]
        before = node[1] if node else ""
        for place, end in enumerate(passed):
            for other in (*([before] if before else ()), *passed[:place]):
                known = (other, end) in found or (end, other) in found
                if counted[other] != counted[end] and not known:
                    found[other, end] = (*_way(came, node), move)
        for remembered in (before, *passed):
            target = (move.target, remembered)
            if target not in came:
                came[target] = (node, move)
                waiting.extend((target, each) for each in space.moves[move.target])
    return found


def _way(came: Mapping[Node, tuple[Node | None, Move]], node: Node | None) -> tuple[Move, ...]:
    moves: list[Move] = []
    while node is not None:
        node, move = came[node]
        moves.append(move)
    return tuple(reversed(moves))


def way_to_step(space: Space, step: str) -> tuple[Move, ...]:
    """A shortest way to a state in which the step, or what stands for it, is open; empty where there is none."""
    stands_for = {record.step for state in space.states for record in state.records if record.open}
    names = {name for name in stands_for if step in space.frame.model.steps_in(name)}
    open_there = (
        number
        for number, state in enumerate(space.states)
        if any(record.open and record.step in names for record in state.records)
    )
    number = next(open_there, None)
    return () if number is None else tuple(space.way(number))


def _way_to_end(space: Space, end: str) -> tuple[Move, ...]:
    """A shortest way to a move that passes the end."""
    every = ((number, move) for number, moves in enumerate(space.moves) for move in moves)
    starts = ((-1, move) for move in space.starts)
    number, last = next((source, move) for source, move in (*starts, *every) if end in move.ends)
    return (*space.way(number), last)
