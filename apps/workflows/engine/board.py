"""The position during one plan: a mutable copy of the marking on which kinds move tokens, one small verb at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apps.workflows.engine import guards
from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.effects import Effect, RaiseIncident
from apps.workflows.engine.marking import Kept, Marking, Round, Token, Visit
from apps.workflows.engine.trace import TraceEntry, TraceKind

if TYPE_CHECKING:  # kinds work on the board, so they import it
    from apps.workflows.engine.kinds.base import Kind

MOST_MOVES = 1_000


class Runaway(Exception):
    """More automatic moves in one plan than any sensible workflow makes."""


@dataclass(kw_only=True)
class Board:
    """Tokens by id, and what the plan has done so far. A verb takes tokens and visits as values and gives new ones."""

    definition: Definition
    kinds: Mapping[str, Kind]
    facts: Mapping[str, Any]
    now: datetime
    tokens: dict[int, Token]
    joins: list[Round]
    kept: list[Kept]
    next: int
    outcome: str | None
    effects: list[Effect] = field(default_factory=list)
    trace: list[TraceEntry] = field(default_factory=list)
    moves: int = 0

    @classmethod
    def lay_out(
        cls,
        definition: Definition,
        marking: Marking,
        *,
        kinds: Mapping[str, Kind],
        facts: Mapping[str, Any],
        now: datetime,
    ) -> Board:
        """The board as the marking has it."""
        return cls(
            definition=definition,
            kinds=kinds,
            facts=facts,
            now=now,
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

    def resume(self, marking: Marking, *, effects_done: int, trace_done: int) -> None:
        """Back to an earlier position of this plan: what was done after it is dropped."""
        self.tokens = {token.id: token for token in marking.tokens}
        self.joins, self.kept = list(marking.joins), list(marking.kept)
        self.next, self.outcome = marking.next, marking.outcome
        del self.effects[effects_done:], self.trace[trace_done:]

    # what there is

    def step_of(self, token: Token) -> Step:
        return self.definition.step(token.step)

    def kind_of(self, token: Token) -> Kind:
        return self.kinds[self.step_of(token).kind]

    def find(self, visit_id: int) -> tuple[Token, Visit] | None:
        """The open visit of that number with its token, or None."""
        for token in self.tokens.values():
            for visit in token.visits:
                if visit.id == visit_id:
                    return token, visit
        return None

    def by_age(self) -> list[tuple[Token, Visit]]:
        """Every open visit with its token, oldest visit first."""
        pairs = [(token, visit) for token in self.tokens.values() for visit in token.visits]
        return sorted(pairs, key=lambda pair: pair[1].id)

    # moving tokens

    def put(self, step_id: str, *, came_from: str | None = None) -> Token:
        """A new token at a step."""
        number = self._number()
        return self._set(Token(id=number, step=step_id, came_from=came_from, seq=number))

    def follow(self, token: Token, arrow: Transition) -> Token:
        """Moves a token along an arrow. What it did at its step is over. Raises Runaway."""
        self.moves += 1
        if self.moves > MOST_MOVES:
            raise Runaway
        return self._set(replace(token, step=arrow.target, came_from=arrow.source, seq=self._number(), visits=()))

    def take(self, token: Token) -> None:
        """Takes a token off the board."""
        del self.tokens[token.id]

    def withdraw(self, token: Token) -> None:
        """Takes a token off the board and its work with it."""
        kind = self.kind_of(token)
        for visit in token.visits:
            if not visit.incident:
                kind.withdraw(self, token, visit)
            if kind.working:
                self.tell(TraceKind.WITHDRAWN, token, visit=visit.id)
        self.take(token)

    def withdraw_all(self) -> None:
        """Withdraws every token, in order of id, and forgets open rounds and early messages."""
        for number in sorted(self.tokens):
            self.withdraw(self.tokens[number])
        self.joins, self.kept = [], []

    # visits

    def open_visit(self, token: Token) -> tuple[Token, Visit]:
        """A new visit of a token at its step."""
        visit = Visit(id=self._number(), step=token.step)
        token = self._set(replace(token, visits=(*token.visits, visit)))
        if self.kind_of(token).working:
            self.tell(TraceKind.OPENED, token, visit=visit.id)
        return token, visit

    def change(self, token: Token, visit: Visit, **changes: Any) -> tuple[Token, Visit]:
        """The visit with other values."""
        changed = replace(visit, **changes)
        visits = tuple(changed if other.id == visit.id else other for other in token.visits)
        return self._set(replace(token, visits=visits)), changed

    def begin(self, token: Token, visit: Visit) -> tuple[Token, Visit]:
        """The visit is begun; nothing changes where it was already."""
        if visit.begun:
            return token, visit
        self.tell(TraceKind.BEGUN, token, visit=visit.id)
        return self.change(token, visit, begun=True)

    def rest(self, token: Token) -> Token:
        """The token without visits: it moves again from where it is."""
        return self._set(replace(token, visits=()))

    def fail(self, token: Token, *, reason: str, guard: str | None = None) -> None:
        """The token rests in incident at its step until somebody retries."""
        token, visit = (token, token.visits[0]) if token.visits else self.open_visit(token)
        self.change(token, visit, incident=True)
        self.tell(TraceKind.INCIDENT, token, visit=visit.id)
        self.emit(RaiseIncident(visit=visit.id, step=token.step, guard=guard, reason=reason))

    # what is said

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def tell(
        self,
        kind: TraceKind,
        token: Token | None = None,
        *,
        visit: int | None = None,
        outcome: str | None = None,
        transition: int | None = None,
    ) -> None:
        """Adds a line to the trace."""
        step, number = (token.step, token.id) if token else (None, None)
        self.trace.append(
            TraceEntry(kind=kind, step=step, visit=visit, token=number, outcome=outcome, transition=transition)
        )

    # guards

    def value(self, token: Token, expression: str) -> Any:
        """An expression's value for the token. Raises guards.GuardFailed."""
        return guards.evaluate(expression, self._seen(token), self.now)

    def holds(self, token: Token, condition: str) -> bool:
        """Whether a condition holds for the token. Raises guards.GuardFailed."""
        return guards.holds(condition, self._seen(token), self.now)

    def _seen(self, token: Token) -> dict[str, Any]:
        visit: dict[str, Any] = {"step": token.step, "came_from": token.came_from}
        if token.visits:
            visit["id"] = token.visits[0].id
        return {**self.facts, "visit": visit}

    def _number(self) -> int:
        self.next += 1
        return self.next - 1

    def _set(self, token: Token) -> Token:
        self.tokens[token.id] = token
        return token
