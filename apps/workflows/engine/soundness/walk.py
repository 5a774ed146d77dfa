"""The board of an exploration: the planner moves its tokens; it notes who came from whom and what was reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.workflows.engine.board import Board, Position, Runaway, Spot
from apps.workflows.engine.definition import Transition
from apps.workflows.engine.effects import Effect
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.marking import Token
from apps.workflows.engine.planner import play
from apps.workflows.engine.soundness.frame import Frame, State
from apps.workflows.engine.trace import TraceKind
from apps.workflows.engine.triggers import Trigger

NOW = datetime(2000, 1, 1, tzinfo=UTC)
MOST_ANSWERS = 250
ALL = -1


class Answers:
    """A judge that answers every condition in every way: it replays answers, and says False where it has none."""

    def __init__(self) -> None:
        self.given: list[bool] = []
        self.asked = 0

    def value(self, source: str, facts: Mapping[str, Any], now: datetime) -> Any:
        return ""

    def holds(self, source: str, facts: Mapping[str, Any], now: datetime) -> bool:
        if self.asked == len(self.given):
            self.given.append(False)
        if self.asked >= MOST_ANSWERS:
            raise Runaway
        self.asked += 1
        return self.given[self.asked - 1]

    def turn(self) -> bool:
        """The next combination of answers, False if there is none."""
        self.asked = 0
        while self.given and self.given[-1]:
            self.given.pop()
        if self.given:
            self.given[-1] = True
        return bool(self.given)


class Endless(Exception):
    """A loop of automatic steps that does not come to rest. `step` is one of them."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


@dataclass(kw_only=True)
class Walk(Board):
    """A board without effects and trace.

    `stale` has, per token, the steps where branches may not meet whose latest passing is not in the token's past, as
    bits of the frame. What a join takes and what is withdrawn counts as the past of the token that goes on.
    """

    frame: Frame
    stale: dict[int, int]
    consumed: int = ALL
    trunk: tuple[int, int] = (0, 0)
    alive: set[str] = field(default_factory=set)
    met: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    ways: list[int] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)

    def put(self, step_id: str, *, came_from: str | None = None) -> Token:
        token = super().put(step_id, came_from=came_from)
        self.stale[token.id] = 0
        self.alive.add(step_id)
        return token

    def follow(self, token: Token, arrow: Transition) -> Token:
        before = self.stale[token.id] & self.consumed
        self.consumed, self.trunk = ALL, (token.seq, before)
        moved = super().follow(token, arrow)
        self._arrive(moved, before)
        return moved

    def branch_off(self, token: Token, arrow: Transition) -> Token:
        seq, mask = self.trunk
        before = (mask if seq == token.seq else self.stale[token.id]) & self.consumed
        self.consumed = ALL
        branch = super().branch_off(token, arrow)
        self._arrive(branch, before)
        return branch

    def take(self, token: Token) -> None:
        super().take(token)
        del self.stale[token.id]

    def withdraw(self, token: Token) -> None:
        self.consumed &= self.stale[token.id]
        self.withdrawn.add(token.step)
        super().withdraw(token)

    def open_visit(self, token: Token, step_id: str | None = None) -> Spot:
        self.alive.add(step_id or token.step)
        return super().open_visit(token, step_id)

    def _arrive(self, token: Token, stale: int) -> None:
        """The token is at a step: every other one does not know of it."""
        if token.step not in self.frame.working:
            self.alive.add(token.step)
        bit = self.frame.bits.get(token.step, 0)
        if stale & bit:
            self.met.append(token.step)
        if bit:
            self.stale = {other: mask | bit for other, mask in self.stale.items()}
            self.trunk = (self.trunk[0], self.trunk[1] | bit)
        self.stale[token.id] = stale & ~bit

    def position(self) -> Position:
        return _NOWHERE

    def resume(self, earlier: Position) -> None:
        """Nothing fails here, so only a runaway loop comes back."""
        raise Endless(max(self.tokens.values(), key=lambda token: token.seq).step)

    def emit(self, effect: Effect) -> None:
        """Nobody carries anything out."""

    def tell(
        self, kind: TraceKind, at: Spot | Token | None = None, *, transition: int | None = None, **more: Any
    ) -> None:
        if not isinstance(at, Token):
            return
        if kind is TraceKind.JOINED:
            self.consumed &= self.stale[at.id]
        elif kind is TraceKind.PASSED and at.step in self.frame.ends:
            self.ends.append(at.step)
        elif transition is not None and at.step in self.frame.deciding:
            self.ways.append(transition)


_NOWHERE = Position(marking=Frame.nothing, facts={}, effects=0, trace=0)


def walks(frame: Frame, state: State | None, trigger: Trigger) -> Iterator[Walk]:
    """Where the trigger leads from the state (None: the run has not started), for all answers of guards.

    Raises Endless, TransitionNotAllowed.
    """
    answers = Answers()
    while True:
        walk = _laid_out(frame, state, answers)
        play(walk, trigger)
        yield walk
        if not answers.turn():
            return


def _laid_out(frame: Frame, state: State | None, answers: Answers) -> Walk:
    tokens, rounds = ({}, []) if state is None else frame.laid_out(state)
    return Walk(
        definition=frame.definition,
        kinds=KINDS,
        facts={},
        now=NOW,
        judge=answers,
        tokens=tokens,
        joins=rounds,
        kept=[],
        next=1 if state is None else frame.NEXT,
        outcome=None,
        frame=frame,
        stale={} if state is None else {number + 1: record.stale for number, record in enumerate(state.records)},
    )
