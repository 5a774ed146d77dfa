"""What the explored states say about a model, as problems of the document's own steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.soundness.ends import different_ends
from apps.workflows.engine.soundness.search import Failure, Finding, Move, Space

MOST_SHOWN = 30


def findings(space: Space) -> Iterator[Finding]:
    """What is wrong, errors first. Of a space that was not finished only what was seen."""
    for failure in space.met.values():
        text = "parallel branches meet here without a join; put a join before it, or let it say 'merge': 'each'."
        yield _finding("meet_unjoined", space, failure, text)
    for failure in space.grown.values():
        yield _finding("unbounded", space, failure, "tokens gather here without bound.")
    for failure in space.endless.values():
        yield _finding("endless_loop", space, failure, "is in a loop of automatic steps that need not end.")
    if space.finished:
        stuck = list(_stuck(space))
        yield from stuck
        yield from _dead(space, frozenset(finding.step for finding in stuck))
        yield from different_ends(space)


def problem_of(finding: Finding, space: Space, document: Definition, *, before: tuple[str, ...] = ()) -> Problem:
    """The finding as a problem of the document, its way written out; `before`: what came before the space began."""
    step_id = space.frame.model.real(finding.step)
    places = [step.id for step in document.steps]
    way = (*before, *way_text(space, finding.way))
    shown = way if len(way) <= MOST_SHOWN else (*way[: MOST_SHOWN - 1], "...", way[-1])
    shortest = f" Shortest way there: {', '.join(shown)}." if way else ""
    return Problem(
        code=finding.code,
        severity=finding.severity,
        step=step_id,
        message=f"Step {step_id!r}: {finding.text}{shortest}",
        path=f"steps/{places.index(step_id)}",
        way=way,
    )


def way_text(space: Space, moves: Iterable[Move]) -> tuple[str, ...]:
    """The events of a way, each decision of a choice as one of its own."""
    arrows = {arrow.index: arrow for arrow in space.frame.definition.transitions}
    found: list[str] = []
    for move in moves:
        found.append(move.text)
        taken = (arrows[index] for index in move.ways)
        found += [f"{arrow.source} to {space.frame.model.real(arrow.target)}" for arrow in taken]
    return tuple(found)


def _finding(code: str, space: Space, failure: Failure, text: str) -> Finding:
    return Finding(code, failure.step, text, space.way_to(failure))


# runs that cannot end


def _stuck(space: Space) -> Iterator[Finding]:
    doomed = _doomed(space)
    if not doomed:
        return
    resting = [number for number in doomed if not space.moves[number]]
    found: dict[tuple[str, str], None] = {}
    for number in resting or [min(_bottom(space, doomed[0]))]:
        for code, step in _reasons(space, number):
            found.setdefault((code, step))
    for code, step in found:
        yield _stuck_finding(space, doomed, code, step)


def _doomed(space: Space) -> list[int]:
    """The states from which no way leads to the end of the run, in the order in which they were found."""
    before: list[list[int]] = [[] for _ in space.states]
    for number, moves in enumerate(space.moves):
        for move in moves:
            before[move.target].append(number)
    good = {number for number, state in enumerate(space.states) if not state.records}
    good |= space.broken | (space.excused - {-1})
    waiting = list(good)
    while waiting:
        for number in before[waiting.pop()]:
            if number not in good:
                good.add(number)
                waiting.append(number)
    return [number for number in range(len(space.states)) if number not in good]


def _bottom(space: Space, number: int) -> set[int]:
    """States, reached from that one, each of which leads to each other and to nothing else."""
    found = _onward(space, number)
    for other in sorted(found):
        if other in found:
            smaller = _onward(space, other)
            if len(smaller) < len(found):
                return _bottom(space, other)
    return found


def _onward(space: Space, number: int) -> set[int]:
    found, waiting = {number}, [number]
    while waiting:
        for move in space.moves[waiting.pop()]:
            if move.target not in found:
                found.add(move.target)
                waiting.append(move.target)
    return found


def _reasons(space: Space, number: int) -> list[tuple[str, str]]:
    """Why nothing goes on: joins that wait in vain, else a child run that cannot end, else where the tokens are."""
    frame, state = space.frame, space.states[number]
    endless = [one.step for one in state.records if one.open and not frame.model.endings.get(one.step, ("race",))]
    if endless:
        return [("endless_recursion", step) for step in dict.fromkeys(endless)]
    joins = list(dict.fromkeys(one.step for one in state.records if one.step in frame.joins))
    first = [join for join in joins if not any(_leads(space, other, join) for other in joins)]
    if first:
        return [("stuck_join", join) for join in first]
    code = "cannot_end" if space.moves[number] else "stuck"
    return [(code, state.records[0].step)]


def _leads(space: Space, other: str, join: str) -> bool:
    """Whether one join waits for the other, but not the other way round."""
    reachable = space.frame.definition.reachable
    return join in reachable(other) and other not in reachable(join)


def _stuck_finding(space: Space, doomed: list[int], code: str, step: str) -> Finding:
    number = next(number for number in doomed if any(one.step == step for one in space.states[number].records))
    way = tuple(space.way(number))
    if code == "stuck_join" and (cancelled := _starving(space, way, step)):
        text = f"this join waits for a branch that was withdrawn at {cancelled!r}; what was cancelled never comes."
        return Finding("starved_join", step, text, way)
    return Finding(code, step, _TEXTS[code], way)


_TEXTS = {
    "stuck_join": "this join waits for a branch that is not taken, so the run cannot end.",
    "endless_recursion": "the workflow it runs cannot end, so this run cannot end either.",
    "cannot_end": "from here the run goes on without end.",
    "stuck": "nothing can move the token here any more, so the run cannot end.",
}


def _starving(space: Space, way: tuple[Move, ...], join: str) -> str | None:
    """A step on a branch of the join at which a token was withdrawn on the way, or None."""
    reachable = space.frame.definition.reachable
    gone = (step for move in way for step in sorted(move.withdrawn))
    return next((space.frame.model.real(step) for step in gone if step == join or join in reachable(step)), None)


# what is never reached


def _dead(space: Space, stuck: frozenset[str]) -> Iterator[Finding]:
    """Steps that are never reached, but for those behind a step where runs are stuck."""
    if space.met or space.grown or space.endless:
        return
    model = space.frame.model
    behind = frozenset().union(*(space.frame.definition.reachable(step) for step in stuck))
    for step in space.frame.definition.steps:
        if step.id not in space.alive and step.id not in behind:
            for each in model.steps_in(step.id):
                yield Finding("dead_step", each, "no run ever comes here.")
