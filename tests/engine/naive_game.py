"""A naive token game over a document's JSON, written from the description of the engine alone.

It imports nothing from the engine. A marking is a tuple of tokens in order of arrival, and the open rounds. It knows
start, task, choice, split, join, end, `merge`, `cancels` and `terminate`. It plays every answer of every guard and
every outcome of every task, and remembers every marking as it is, so it is slow and only good for small documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

Arrow = dict[str, Any]


class TooLarge(Exception):
    """The game has more markings than it may look at, or a plan that does not come to rest."""


@dataclass(frozen=True)
class Token:
    """Where it is, where it came from, whether it rests (a person works on it), and what it knows.

    `knows`: the steps where branches may not meet of whose last passing it knows.
    """

    at: str
    source: str
    knows: frozenset[str]
    rests: bool = False


@dataclass(frozen=True)
class Position:
    tokens: tuple[Token, ...] = ()
    seen: tuple[tuple[str, frozenset[str]], ...] = ()
    met: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What is wrong: where branches met, whether some marking cannot end, which steps no token came to."""

    met: frozenset[str]
    stuck: bool
    dead: frozenset[str]

    @property
    def sound(self) -> bool:
        return not (self.met or self.stuck or self.dead)


class Game:
    def __init__(self, source: dict[str, Any]) -> None:
        self.steps: dict[str, dict[str, Any]] = {step["id"]: step for step in source["steps"]}
        self.arrows: list[Arrow] = source["transitions"]
        self.alone = frozenset(
            step
            for step, settings in self.steps.items()
            if settings["kind"] not in ("join", "end") and settings.get("merge") != "each" and len(self.into(step)) > 1
        )
        self.came: set[str] = set()

    def out(self, step: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow["from"] == step]

    def into(self, step: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow["to"] == step]

    def kind(self, token: Token) -> str:
        return str(self.steps[token.at]["kind"])

    def branches(self, join: str) -> set[str]:
        return {arrow["from"] for arrow in self.into(join)}

    # the graph

    def from_here(self, step: str, without: str | None = None) -> set[str]:
        """The steps some way leads to."""
        found: set[str] = set()
        waiting = [] if step == without else [step]
        while waiting:
            for arrow in self.out(waiting.pop()):
                if arrow["to"] not in found:
                    found.add(arrow["to"])
                    if arrow["to"] != without:
                        waiting.append(arrow["to"])
        return found

    def block(self, join: str) -> set[str]:
        """Every step from which the join can be reached without passing its fork again, and the fork."""
        common = [step for step in self.steps if step != join and join not in self.from_here("start", without=step)]
        last = [one for one in common if not any(one in self.ways_to(other) for other in common if other != one)]
        fork = last[0]
        inside = {step for step in self.steps if step != fork and join in self.from_here(step, without=fork)}
        return inside | {fork}

    def ways_to(self, step: str) -> set[str]:
        """The steps that every way from the start to the step has in common, itself left out."""
        if step == "start":
            return set()
        return {other for other in self.steps if other != step and step not in self.from_here("start", without=other)}

    # moving one token

    def arrive(self, position: Position, arrow: Arrow, knows: frozenset[str]) -> Position:
        step = arrow["to"]
        if self.steps[step]["kind"] != "task":
            self.came.add(step)
        tokens, met = position.tokens, position.met
        if step in self.alone:
            met |= {step} - knows
            tokens = tuple(replace(token, knows=token.knows - {step}) for token in tokens)
            knows |= {step}
        return replace(position, tokens=(*tokens, Token(step, arrow["from"], knows)), met=met)

    def leave(self, position: Position, token: Token, arrows: list[Arrow], *also: Token) -> Position:
        """The token leaves by these arrows; what `also` knew, which it takes with it, it knows too."""
        gone = [token, *also]
        position = replace(position, tokens=without(position.tokens, gone))
        knows = frozenset().union(*(one.knows for one in gone))
        for arrow in arrows:
            position = self.arrive(position, arrow, knows)
            knows -= {arrow["to"]}
        return position

    # what moves by itself

    def plays(self, position: Position) -> Iterator[Position]:
        """Where a position comes to rest, for all answers of guards."""
        waiting, count = [position], 0
        while waiting:
            count += 1
            if count > 500:
                raise TooLarge
            now = waiting.pop()
            moved = self.moves(now)
            if moved is None:
                yield now
            else:
                waiting += moved

    def moves(self, position: Position) -> list[Position] | None:
        """The first token that moves, in every way it can; None when nothing does."""
        for token in position.tokens:
            moved = None if token.rests else self.first(position, token)
            if moved is not None:
                return moved
        for token in position.tokens:
            if self.steps[token.at].get("of") == "active":
                block = self.block(token.at)
                if not any(other.at in block and other.at != token.at for other in position.tokens):
                    here = [other for other in position.tokens if other.at == token.at]
                    return [self.leave(position, here[0], self.out(token.at), *here[1:])]
        return None

    def first(self, position: Position, token: Token) -> list[Position] | None:
        kind = self.kind(token)
        if kind == "task":
            self.came.add(token.at)
            at = next(index for index, one in enumerate(position.tokens) if one is token)
            tokens = position.tokens
            return [replace(position, tokens=(*tokens[:at], replace(token, rests=True), *tokens[at + 1 :]))]
        if kind == "end":
            if self.steps[token.at].get("terminate"):
                return [replace(position, tokens=(), seen=())]
            return [replace(position, tokens=without(position.tokens, [token]))]
        if kind == "join":
            return self.join(position, token)
        return [self.leave(position, token, arrows) for arrows in self.ways(token.at, kind)]

    def ways(self, step: str, kind: str) -> list[list[Arrow]]:
        arrows = self.out(step)
        if kind == "choice":
            return [[arrow] for arrow in arrows]
        guarded = [arrow for arrow in arrows if "when" in arrow]
        free = [arrow for arrow in arrows if "when" not in arrow and not arrow.get("otherwise")]
        otherwise = [arrow for arrow in arrows if arrow.get("otherwise")]
        found = []
        for answers in product((True, False), repeat=len(guarded)):
            chosen = [arrow for arrow, answer in zip(guarded, answers, strict=True) if answer]
            taken = [arrow for arrow in arrows if any(arrow is one for one in (*free, *chosen))]
            found.append(taken or otherwise)
        return found

    def join(self, position: Position, token: Token) -> list[Position] | None:
        step = self.steps[token.at]
        wait, branches = step.get("wait", "all"), self.branches(token.at)
        seen = dict(position.seen).get(token.at)
        if step.get("of") == "active":
            return None
        if seen is not None and token.source not in seen:
            return [self.see(replace(position, tokens=without(position.tokens, [token])), token.at, {token.source})]
        here = [other for other in position.tokens if other.at == token.at]
        needed = len(branches) if wait == "all" else 1 if wait == "first" else wait
        if len(branches) > 1:
            firsts: dict[str, Token] = {}
            for other in here:
                firsts.setdefault(other.source, other)
            here = [] if seen is not None else list(firsts.values())
        if len(here) < needed or not any(other is token for other in here[:needed]):
            return None
        return [self.fire(position, here[:needed], partial=wait != "all" and len(branches) > 1)]

    def fire(self, position: Position, taken: list[Token], *, partial: bool) -> Position:
        join, rest = taken[0].at, []
        if self.steps[join].get("cancel_rest"):
            block = self.block(join) | {join}
            rest = [other for other in position.tokens if other.at in block and all(other is not one for one in taken)]
            position = replace(position, seen=tuple(one for one in position.seen if one[0] not in block))
        elif partial:
            position = self.see(position, join, {token.source for token in taken})
        return self.leave(position, taken[0], self.out(join), *taken[1:], *rest)

    def see(self, position: Position, join: str, branches: set[str]) -> Position:
        rounds = dict(position.seen)
        rounds[join] = rounds.get(join, frozenset()) | branches
        if rounds[join] >= self.branches(join):
            del rounds[join]
        return replace(position, seen=tuple(sorted(rounds.items(), key=lambda one: one[0])))

    # what people do

    def follow(self, position: Position) -> Iterator[Position]:
        for token in position.tokens:
            for arrow in self.out(token.at) if token.rests else ():
                listed = self.steps[token.at].get("cancels", ())
                gone = [other for other in position.tokens if other.at in listed]
                seen = tuple(one for one in position.seen if one[0] not in listed)
                yield from self.plays(self.leave(replace(position, seen=seen), token, [arrow], *gone))

    def verdict(self, most: int = 3_000) -> Verdict:
        """Plays everything. Raises TooLarge."""
        self.came.add("start")
        start = Position(tokens=(Token("start", "", self.alone),))
        known: dict[Position, list[Position]] = {}
        waiting = list(self.plays(start))
        met: frozenset[str] = frozenset()
        while waiting:
            position = waiting.pop()
            if position.met:
                met |= position.met
            elif position not in known:
                known[position] = list(self.follow(position))
                waiting += known[position]
            if len(known) > most or len(position.tokens) > 12:
                raise TooLarge
        return Verdict(met, stuck=not met and self.some_cannot_end(known), dead=frozenset(self.steps) - self.came)

    @staticmethod
    def some_cannot_end(known: dict[Position, list[Position]]) -> bool:
        good = {position for position in known if not position.tokens}
        grown = True
        while grown:
            more = {one for one, following in known.items() if one not in good and good.intersection(following)}
            good |= more
            grown = bool(more)
        return len(good) < len(known)


def without(tokens: tuple[Token, ...], gone: list[Token]) -> tuple[Token, ...]:
    return tuple(token for token in tokens if all(token is not one for one in gone))
