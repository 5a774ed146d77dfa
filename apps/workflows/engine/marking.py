"""Where a run is: its tokens, the open rounds of its joins, the early messages, and the next number.

Plain JSON in the database. One counter numbers tokens, visits and arrivals, so a number is never used twice in a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A token's stay at a step. `key` is that of the message it waits for.

    A visit in incident waits for Retry. A step that does no work has a visit only while it is in incident.
    """

    id: int
    step: str
    begun: bool = False
    incident: bool = False
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """`seq` is the number of its arrival at its step, `came_from` the step it left for it (None where it was put)."""

    id: int
    step: str
    came_from: str | None
    seq: int
    visits: tuple[Visit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Round:
    """An open round of a partial join: the branches that were seen."""

    step: str
    seen: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A message that came before anybody waited for it."""

    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Marking:
    """`outcome` is that of the last end passed which has one. Tokens are in order of their ids."""

    tokens: tuple[Token, ...] = ()
    joins: tuple[Round, ...] = ()
    kept: tuple[Kept, ...] = ()
    next: int = 1
    outcome: str | None = None

    @classmethod
    def empty(cls) -> Marking:
        """A run that has not started."""
        return cls()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: `from_json` gives the same marking back."""
        return {
            "tokens": [asdict(token) | {"visits": [asdict(visit) for visit in token.visits]} for token in self.tokens],
            "joins": [{"step": open_round.step, "seen": list(open_round.seen)} for open_round in self.joins],
            "kept": [asdict(message) for message in self.kept],
            "next": self.next,
            "outcome": self.outcome,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Marking:
        """The marking that was stored. An empty object is a run that has not started."""
        return cls(
            tokens=tuple(_token(token) for token in stored.get("tokens", ())),
            joins=tuple(Round(step=entry["step"], seen=tuple(entry["seen"])) for entry in stored.get("joins", ())),
            kept=tuple(Kept(**message) for message in stored.get("kept", ())),
            next=stored.get("next", 1),
            outcome=stored.get("outcome"),
        )

    @property
    def started(self) -> bool:
        return self.next > 1

    def open_visits(self) -> tuple[Visit, ...]:
        """Every visit, those in incident included, oldest first."""
        return tuple(sorted((visit for token in self.tokens for visit in token.visits), key=lambda visit: visit.id))

    def visit(self, visit_id: int) -> Visit | None:
        """The open visit of that number, or None."""
        return next((visit for visit in self.open_visits() if visit.id == visit_id), None)


def _token(stored: Mapping[str, Any]) -> Token:
    return Token(**{**stored, "visits": tuple(Visit(**visit) for visit in stored["visits"])})
