"""The position during one plan: a mutable copy of the marking on which kinds move tokens, one small verb at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from apps.workflows.engine import guards
from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.effects import Effect, RaiseIncident, SetFields
from apps.workflows.engine.marking import Instance, Kept, Marking, Round, Token, Visit
from apps.workflows.engine.trace import TraceEntry, TraceKind

if TYPE_CHECKING:  # kinds work on the board, so they import it
    from apps.workflows.engine.kinds.base import Kind

MOST_MOVES = 1_000


class Runaway(Exception):
    """More automatic moves in one plan than any sensible workflow makes."""


class Judge(Protocol):
    """Who answers expressions: CEL, or whoever explores what could be answered."""

    def value(self, source: str, facts: Mapping[str, Any], now: datetime) -> Any:
        """The value. Raises guards.GuardFailed."""

    def holds(self, source: str, facts: Mapping[str, Any], now: datetime) -> bool:
        """Whether a condition holds. Raises guards.GuardFailed."""


class Cel:
    """Expressions are evaluated as they are written."""

    def value(self, source: str, facts: Mapping[str, Any], now: datetime) -> Any:
        return guards.evaluate(source, facts, now)

    def holds(self, source: str, facts: Mapping[str, Any], now: datetime) -> bool:
        return guards.holds(source, facts, now)


CEL = Cel()


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A token, one of its visits, and the index of an instance where one is meant."""

    token: Token
    visit: Visit
    instance: int | None = None

    @property
    def step(self) -> str:
        return self.visit.step

    @property
    def of(self) -> dict[str, Any]:
        """What an effect says about where it comes from."""
        return {"visit": self.visit.id, "step": self.visit.step, "instance": self.instance}

    @property
    def part(self) -> Instance | None:
        """The instance that is meant, or None."""
        return None if self.instance is None or self.visit.instances is None else self.visit.instances[self.instance]

    @property
    def in_race(self) -> bool:
        """Whether the visit competes with others: nobody has begun, nothing has fired."""
        return self.token.step != self.visit.step

    @property
    def in_incident(self) -> bool:
        return self.visit.incident if self.part is None else self.part.incident

    def whole(self) -> Spot:
        """The visit, with all its instances."""
        return replace(self, instance=None)


@dataclass(frozen=True, kw_only=True)
class Position:
    """An earlier position of a plan, what guards saw, and how much had been said by then."""

    marking: Marking
    facts: Mapping[str, Any]
    effects: int
    trace: int


@dataclass(kw_only=True)
class Board:
    """Tokens by id, and what the plan has done so far. A verb takes spots as values and gives new ones.

    `opening` is the visit whose instances are being opened just now.
    """

    definition: Definition
    kinds: Mapping[str, Kind]
    facts: Mapping[str, Any]
    now: datetime
    tokens: dict[int, Token]
    joins: list[Round]
    kept: list[Kept]
    next: int
    outcome: str | None
    judge: Judge = CEL
    effects: list[Effect] = field(default_factory=list)
    trace: list[TraceEntry] = field(default_factory=list)
    moves: int = 0
    opening: int | None = None

    @classmethod
    def lay_out(
        cls,
        definition: Definition,
        marking: Marking,
        *,
        kinds: Mapping[str, Kind],
        facts: Mapping[str, Any],
        now: datetime,
        judge: Judge = CEL,
    ) -> Board:
        """The board as the marking has it."""
        return cls(
            definition=definition,
            kinds=kinds,
            facts=facts,
            now=now,
            judge=judge,
            tokens={token.id: token for token in marking.tokens},
            joins=list(marking.joins),
            kept=list(marking.kept),
            next=marking.next,
            outcome=marking.outcome,
        )

    def marking(self) -> Marking:
        """The position as a value."""
        return Marking(
            tokens=tuple(self.tokens[number] for number in sorted(self.tokens)),
            joins=tuple(self.joins),
            kept=tuple(self.kept),
            next=self.next,
            outcome=self.outcome,
        )

    def position(self) -> Position:
        """Where `resume` comes back to."""
        return Position(marking=self.marking(), facts=self.facts, effects=len(self.effects), trace=len(self.trace))

    def resume(self, earlier: Position) -> None:
        """Back to an earlier position of this plan: what was done after it is dropped."""
        marking = earlier.marking
        self.tokens = {token.id: token for token in marking.tokens}
        self.joins, self.kept = list(marking.joins), list(marking.kept)
        self.next, self.outcome, self.facts = marking.next, marking.outcome, earlier.facts
        del self.effects[earlier.effects :], self.trace[earlier.trace :]

    # what there is

    def step_of(self, token: Token) -> Step:
        return self.definition.step(token.step)

    def kind_of(self, token: Token) -> Kind:
        return self.kind_at(token.step)

    def kind_at(self, step_id: str) -> Kind:
        return self.kinds[self.definition.step(step_id).kind]

    def setting(self, spot: Spot, name: str) -> Any:
        """A setting of the step that the spot's visit is to, or None."""
        return self.definition.step(spot.step).settings.get(name)

    def by_arrival(self) -> list[Token]:
        return sorted(self.tokens.values(), key=lambda token: token.seq)

    def find(self, visit_id: int, instance: int | None = None) -> Spot | None:
        """The open visit of that number, and that live instance of it, or None."""
        for token in self.tokens.values():
            for visit in token.visits:
                if visit.id == visit_id:
                    spot = Spot(token=token, visit=visit, instance=instance)
                    return spot if instance is None or self._has(visit, instance) else None
        return None

    @staticmethod
    def _has(visit: Visit, instance: int) -> bool:
        return visit.instances is not None and 0 <= instance < len(visit.instances)

    def still(self, spot: Spot) -> Spot | None:
        """The spot as it stands now, or None if its visit is over."""
        return self.find(spot.visit.id, spot.instance)

    def still_open(self, spot: Spot) -> Spot:
        """The spot as it stands now, where its visit cannot be over."""
        now = self.still(spot)
        assert now is not None
        return now

    def by_age(self) -> list[Spot]:
        """Every open visit, oldest first; of one with instances each instance, in order."""
        visits = sorted(
            ((token, visit) for token in self.tokens.values() for visit in token.visits), key=lambda pair: pair[1].id
        )
        return [
            Spot(token=token, visit=visit, instance=part)
            for token, visit in visits
            for part in ([None] if visit.instances is None else range(len(visit.instances)))
        ]

    # moving tokens

    def put(self, step_id: str, *, came_from: str | None = None) -> Token:
        """A new token at a step."""
        number = self.number()
        return self._set(Token(id=number, step=step_id, came_from=came_from, seq=number))

    def follow(self, token: Token, arrow: Transition) -> Token:
        """Moves a token along an arrow. What it did at its step is over. Raises Runaway."""
        self.count_move()
        return self._set(replace(token, step=arrow.target, came_from=arrow.source, seq=self.number(), visits=()))

    def branch_off(self, token: Token, arrow: Transition) -> Token:
        """A new token that leaves the other's step along an arrow, knowing what it knows. Raises Runaway."""
        self.count_move()
        number = self.number()
        return self._set(Token(id=number, step=arrow.target, came_from=arrow.source, seq=number, counts=token.counts))

    def count_move(self) -> None:
        """Counts an automatic move. Raises Runaway."""
        self.moves += 1
        if self.moves > MOST_MOVES:
            raise Runaway

    def take(self, token: Token) -> None:
        """Takes a token off the board."""
        del self.tokens[token.id]

    def withdraw(self, token: Token) -> None:
        """Takes a token off the board and its work with it."""
        for visit in token.visits:
            self.kind_at(visit.step).withdraw_visit(self, Spot(token=token, visit=visit))
        self.take(token)

    def withdraw_all(self) -> None:
        """Withdraws every token, in order of id, and forgets open rounds and early messages."""
        for number in sorted(self.tokens):
            self.withdraw(self.tokens[number])
        self.joins, self.kept = [], []

    # visits

    def open_visit(self, token: Token, step_id: str | None = None) -> Spot:
        """A new visit of a token, at its step or (in a race) at another."""
        visit = Visit(id=self.number(), step=step_id or token.step)
        spot = Spot(token=self._set(replace(token, visits=(*token.visits, visit))), visit=visit)
        if self.kind_at(visit.step).working:
            self.tell(TraceKind.OPENED, spot)
        return spot

    def change(self, spot: Spot, **changes: Any) -> Spot:
        """The visit with other values."""
        changed = replace(spot.visit, **changes)
        visits = tuple(changed if other.id == changed.id else other for other in spot.token.visits)
        return replace(spot, token=self._set(replace(spot.token, visits=visits)), visit=changed)

    def change_part(self, spot: Spot, **changes: Any) -> Spot:
        """The visit's instance that the spot means (where it means none, the visit itself) with other values."""
        if spot.part is None:
            return self.change(spot, **changes)
        index, parts = spot.part.index, spot.visit.instances or ()
        return self.change(spot, instances=(*parts[:index], replace(spot.part, **changes), *parts[index + 1 :]))

    def change_token(self, token: Token, **changes: Any) -> Token:
        """The token with other values."""
        return self._set(replace(token, **changes))

    def rest(self, token: Token) -> Token:
        """The token without visits: it moves again from where it is."""
        return self._set(replace(token, visits=()))

    def fail(self, spot: Spot, *, reason: str, guard: str | None = None) -> None:
        """The visit, or the instance that is meant, rests in incident until somebody retries."""
        self.change_part(spot, incident=True)
        self.tell(TraceKind.INCIDENT, spot)
        self.emit(RaiseIncident(**spot.of, guard=guard, reason=reason))

    def fail_token(self, token: Token, *, reason: str, guard: str | None = None) -> None:
        """The token rests in incident at its step: at its visit, else at one that is there for this alone."""
        spot = Spot(token=token, visit=token.visits[0]) if token.visits else self.open_visit(token)
        self.fail(spot, reason=reason, guard=guard)

    def attempt(self, spot: Spot, act: Callable[[], None]) -> None:
        """Lets the visit act. A guard that fails is never a silent false: all is undone, the visit in incident."""
        before = self.position()
        try:
            act()
        except guards.GuardFailed as failure:
            self.resume(before)
            self.fail(spot, guard=failure.expression, reason=failure.reason)

    def attempt_move(self, token: Token, act: Callable[[], None]) -> None:
        """The same for a token that moves by itself."""
        before = self.position()
        try:
            act()
        except guards.GuardFailed as failure:
            self.resume(before)
            self.fail_token(token, guard=failure.expression, reason=failure.reason)

    # what is said

    def emit(self, effect: Effect) -> None:
        """Asks the world for something. Guards behind a step that fills in fields see them in the same plan."""
        self.effects.append(effect)
        if isinstance(effect, SetFields):
            request = self.facts.get("request", {})
            data = {**request.get("data", {}), **effect.fields}
            self.facts = {**self.facts, "request": {**request, "data": data}}

    def tell(
        self,
        kind: TraceKind,
        at: Spot | Token | None = None,
        *,
        visit: int | None = None,
        outcome: str | None = None,
        transition: int | None = None,
    ) -> None:
        """Adds a line to the trace."""
        token = at.token if isinstance(at, Spot) else at
        spot = at if isinstance(at, Spot) else None
        self.trace.append(
            TraceEntry(
                kind=kind,
                step=at.step if at else None,
                visit=spot.visit.id if spot else visit,
                token=token.id if token else None,
                outcome=outcome,
                transition=transition,
                instance=spot.instance if spot else None,
            )
        )

    # expressions

    def value(self, at: Spot | Token, expression: str) -> Any:
        """An expression's value as seen from there. Raises guards.GuardFailed."""
        return self.judge.value(expression, self.seen(at), self.now)

    def holds(self, at: Spot | Token, condition: str) -> bool:
        """Whether a condition holds as seen from there. Raises guards.GuardFailed."""
        return self.judge.holds(condition, self.seen(at), self.now)

    def seen(self, at: Spot | Token) -> dict[str, Any]:
        """The facts with `visit` and, where they are known, `instances`, `item` and `index`."""
        token = at.token if isinstance(at, Spot) else at
        visit: dict[str, Any] = {"step": at.step, "came_from": token.came_from}
        seen = {**self.facts, "visit": visit}
        if token.counts is not None:
            seen["instances"] = token.counts.as_facts()
        if isinstance(at, Spot):
            visit["id"] = at.visit.id
            if at.part is not None:
                seen |= {"item": at.part.item, "index": at.part.index}
        return seen

    def number(self) -> int:
        """The next number of the run."""
        self.next += 1
        return self.next - 1

    def _set(self, token: Token) -> Token:
        self.tokens[token.id] = token
        return token
