"""Every marking a run can come to, breadth first, so that the first way found to anything is a shortest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.workflows.engine import triggers
from apps.workflows.engine.definition import Step
from apps.workflows.engine.problems import Severity
from apps.workflows.engine.soundness.frame import Frame, Record, State
from apps.workflows.engine.soundness.walk import Endless, Walk, walks

EVERY = 500
WORK_PER_MARKING = 90
FEW_MOVES = 25  # of more automatic moves in a row each looks at all tokens again: a loop that leaves tokens behind


@dataclass(kw_only=True)
class Budget:
    """How many markings may be looked at, over all parts of a document, and who is told of every 500.

    `work` bounds what a document of few but heavy markings could cost: the tokens of every position played, for each of
    many automatic moves.
    """

    most: int
    progress: Callable[[int], None] | None = None
    used: int = 0
    work: int = 0

    @property
    def spent(self) -> bool:
        return self.used >= self.most or self.work >= WORK_PER_MARKING * self.most

    def use(self) -> None:
        self.used += 1
        if self.progress is not None and self.used % EVERY == 0:
            self.progress(self.used)

    def share(self, most: int) -> Budget:
        """A budget of its own with so many at most, told to the same; `settle` brings it home."""
        offset = self.used
        progress = self.progress
        told = None if progress is None else lambda used: progress(offset + used)
        return Budget(most=min(most, self.most - self.used), progress=told)


class Event(NamedTuple):
    """Something that could come, said so that a person understands it."""

    text: str
    trigger: triggers.Trigger


class Move(NamedTuple):
    """An arrow between states: what happened, which ways were chosen, ends reached, tokens withdrawn."""

    target: int
    text: str
    ways: tuple[int, ...]
    ends: tuple[str, ...]
    withdrawn: frozenset[str]


class Failure(NamedTuple):
    """A move after which something is wrong with a step: it leads from a state (-1: the beginning)."""

    step: str
    source: int
    move: Move


class Finding(NamedTuple):
    """Something wrong with a step of a model, and the moves that lead to it."""

    code: str
    step: str
    text: str
    way: tuple[Move, ...] = ()
    severity: Severity = Severity.ERROR


@dataclass(kw_only=True)
class Space:
    """What was found. `parents`: by which state and move each was found first.

    `broken`: the states not followed further, because they show that tokens gather without bound. `excused`: those with
    a move that is wrong in itself and was not followed.
    """

    frame: Frame
    states: list[State] = field(default_factory=list)
    numbers: dict[State, int] = field(default_factory=dict)
    parents: list[tuple[int, Move]] = field(default_factory=list)
    starts: list[Move] = field(default_factory=list)
    moves: list[list[Move]] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)
    met: dict[str, Failure] = field(default_factory=dict)
    grown: dict[str, Failure] = field(default_factory=dict)
    endless: dict[str, Failure] = field(default_factory=dict)
    finished: bool = True

    def is_over(self, number: int) -> bool:
        """Whether nothing is to be followed from the state: the run has ended there, or grows without bound."""
        return number in self.broken or not self.states[number].records

    def way(self, number: int) -> Iterator[Move]:
        """The moves of the first way to a state, from the beginning."""
        found = []
        while number >= 0:
            number, move = self.parents[number]
            found.append(move)
        yield from reversed(found)

    @property
    def counted_ends(self) -> dict[str, str]:
        """The ends that may decide how a run ends, each with its outcome: not those that terminate it."""
        return {
            step.id: step.settings["outcome"]
            for step in self.frame.definition.steps
            if step.kind == "end" and "outcome" in step.settings and not step.settings.get("terminate")
        }

    def way_to(self, failure: Failure) -> tuple[Move, ...]:
        return (*self.way(failure.source), failure.move)


def search(frame: Frame, budget: Budget, *, given_up: Callable[[Space, int], bool] | None = None) -> Space:
    """Looks at every state until none is new, the budget is spent or, asked after each state, it is given up."""
    space = Space(frame=frame)
    for event in _starts(frame):
        _take(space, budget, -1, event)
    number = 0
    while number < len(space.states) and space.finished:
        if budget.spent:
            space.finished = False
            return space
        if not space.is_over(number):
            for event in _events(frame, space.states[number]):
                _take(space, budget, number, event)
        if given_up is not None and given_up(space, number):
            space.finished = False
            return space
        number += 1
    return space


def _starts(frame: Frame) -> Iterator[Event]:
    yield Event("start", triggers.Start())
    at = frame.definition.reopen
    if at is not None:
        yield Event(f"opened again at {at}", triggers.Start(at=at))


def _events(frame: Frame, state: State) -> Iterator[Event]:
    """Everything that could come: for each visit every way it can end and every deadline of it."""
    told: Record | None = None
    for number, record in enumerate(state.records, 1):
        if record == told or not record.open:
            continue
        told = record
        if record.step in frame.working:
            yield from _of_visit(frame, frame.definition.step(record.step), frame.first_visit(number), record.fired)
        else:
            yield from _of_race(frame, record.step, frame.first_visit(number))


def _of_visit(frame: Frame, step: Step, visit: int, fired: tuple[str, ...]) -> Iterator[Event]:
    for ending in frame.model.endings[step.id]:
        yield Event(ending.text, ending.trigger(visit))
    for deadline in step.settings.get("deadlines", ()):
        if deadline["id"] not in fired:
            trigger = triggers.TimerFired(visit=visit, deadline=deadline["id"])
            yield Event(f"deadline {deadline['id']!r} of {step.id}", trigger)


def _of_race(frame: Frame, race: str, first: int) -> Iterator[Event]:
    """Each competitor wins: a task when it is begun, a wait when it is over."""
    for visit, arrow in enumerate(frame.definition.arrows_from(race), first):
        if frame.definition.step(arrow.target).kind == "task":
            yield Event(f"{arrow.target} begun", triggers.Begin(visit=visit))
        else:
            for ending in frame.model.endings[arrow.target]:
                yield Event(ending.text, ending.trigger(visit))


def _take(space: Space, budget: Budget, source: int, event: Event) -> None:
    """Follows one trigger from a state to the states it can lead to."""
    before = space.states[source] if source >= 0 else None
    try:
        for walk in walks(space.frame, before, event.trigger):
            _note(space, budget, source, event.text, walk)
            budget.work += 1 + len(walk.tokens) * (1 + max(0, walk.moves - FEW_MOVES) // 2)
            if budget.spent:
                space.finished = False
                return
    except Endless as endless:
        failure = Failure(endless.step, source, _move(-1, event.text, None))
        space.endless.setdefault(endless.step, failure)
        space.excused.add(source)


def _move(target: int, text: str, walk: Walk | None) -> Move:
    if walk is None:
        return Move(target, text, (), (), frozenset())
    return Move(target, text, tuple(walk.ways), tuple(walk.ends), frozenset(walk.withdrawn))


def _note(space: Space, budget: Budget, source: int, text: str, walk: Walk) -> None:
    space.alive |= walk.alive
    if walk.met:
        for step in walk.met:
            space.met.setdefault(step, Failure(step, source, _move(-1, text, walk)))
        space.excused.add(source)
        return
    state = space.frame.state(walk)
    number = space.numbers.get(state)
    if number is None:
        number = _add(space, state, source, _move(len(space.states), text, walk))
        budget.use()
    onward = space.moves[source] if source >= 0 else space.starts
    onward.append(_move(number, text, walk))


def _add(space: Space, state: State, source: int, move: Move) -> int:
    """A state that is new; it is not followed where it shows that tokens gather without bound."""
    number = space.numbers[state] = len(space.states)
    space.states.append(state)
    space.moves.append([])
    space.parents.append((source, move))
    if source >= 0 and len(state.records) > len(space.states[source].records):
        gaining = _gaining(space, source, state)
        if gaining is not None:
            space.broken.add(number)
            space.grown.setdefault(gaining, Failure(gaining, source, move))
    return number


def _gaining(space: Space, number: int, state: State) -> str | None:
    """The step that held a token before, on the way here, and has more now while no other has fewer; or None."""
    now = _places(state)
    while number >= 0:
        earlier = space.states[number]
        if len(earlier.records) < len(state.records) and earlier.rounds == state.rounds:
            before = _places(earlier)
            if before <= now and (found := _gained(before, now)):
                return found
        number = space.parents[number][0]
    return None


def _places(state: State) -> Counter[tuple[str, str, bool]]:
    return Counter((record.step, record.came_from, record.open) for record in state.records)


def _gained(before: Counter[tuple[str, str, bool]], now: Counter[tuple[str, str, bool]]) -> str | None:
    earlier: Counter[str] = Counter()
    later: Counter[str] = Counter()
    for counts, places in ((earlier, before), (later, now)):
        for (step, _, _), count in places.items():
            counts[step] += count
    return next((step for step in sorted(earlier) if later[step] > earlier[step]), None)
