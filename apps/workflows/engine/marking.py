"""Where a run is: its tokens, the open rounds of its joins, the early messages, and the next number.

Plain JSON in the database. One counter numbers tokens, visits and arrivals, so a number is never used twice in a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class InstanceStatus(StrEnum):
    """Where one instance of a step is. `waiting` is one whose turn in the sequence has not come."""

    WAITING = "waiting"
    OPEN = "open"
    BEGUN = "begun"
    DONE = "done"
    WITHDRAWN = "withdrawn"


LIVE = (InstanceStatus.OPEN, InstanceStatus.BEGUN)
OVER = (InstanceStatus.DONE, InstanceStatus.WITHDRAWN)


class KeyState(StrEnum):
    """Whether a visit waits in line for its `exclusive` key or holds it. A task that is only offered does neither."""

    NONE = ""
    ASKED = "asked"
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance of a step with instances. `item` is its part of the list (JSON), `key` that of a message."""

    index: int
    item: Any = None
    status: InstanceStatus = InstanceStatus.WAITING
    outcome: str | None = None
    incident: bool = False
    key: str | None = None
    child: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A token's stay at a step.

    `key` is that of the message it waits for, `exclusive` the name of the key it needs. `fired` are the deadlines that
    have passed. `instances` is None where the step has none; `closed`: no more can be added; `left`: the step has
    ended, its unfinished instances run on and lead nowhere. `child` is how a child run ended whose output is not read.
    A visit in incident waits for Retry. A step that does no work has a visit only while it is in incident.
    """

    id: int
    step: str
    begun: bool = False
    incident: bool = False
    key: str | None = None
    exclusive: str | None = None
    key_state: KeyState = KeyState.NONE
    fired: tuple[str, ...] = ()
    instances: tuple[Instance, ...] | None = None
    closed: bool = False
    left: bool = False
    child: Mapping[str, Any] | None = None

    @property
    def needs_operator(self) -> bool:
        """Whether the visit, or an instance of it, is in incident."""
        return self.incident or any(part.incident for part in self.instances or ())


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the instances of the step a token left last: guards read it as `instances`."""

    total: int = 0
    completed: int = 0
    outcomes: tuple[str, ...] = ()

    def as_facts(self) -> dict[str, Any]:
        return {"total": self.total, "completed": self.completed, "outcomes": list(self.outcomes)}


@dataclass(frozen=True, kw_only=True)
class Token:
    """`seq` is the number of its arrival at its step, `came_from` the step it left for it (None where it was put).

    A token at a race has a visit to each step that competes; any other has one at most.
    """

    id: int
    step: str
    came_from: str | None
    seq: int
    visits: tuple[Visit, ...] = ()
    counts: Counts | None = None

    @property
    def left(self) -> bool:
        """Whether only left-over instances stand here: they lead nowhere."""
        return bool(self.visits) and self.visits[0].left


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
    payload: Any = None


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
        """Plain JSON: `from_json` gives the same marking back. What has its default value is left out."""
        return _stored(self) | {"next": self.next}

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


_KINDS = (Instance, Visit, Counts, Token, Round, Kept, Marking)
_DEFAULTS = {kind: tuple((field.name, field.default) for field in fields(kind)) for kind in _KINDS}


def _stored(value: Any) -> dict[str, Any]:
    """A value of this module as JSON, without what has its default."""
    pairs = ((name, getattr(value, name), default) for name, default in _DEFAULTS[type(value)])
    return {name: _plain(one) for name, one, default in pairs if one is not default and one != default}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if type(value) in _DEFAULTS:
        return _stored(value)
    return str(value) if isinstance(value, StrEnum) else value


def _token(stored: Mapping[str, Any]) -> Token:
    counts = stored.get("counts")
    return Token(
        **{
            **stored,
            "visits": tuple(_visit(visit) for visit in stored.get("visits", ())),
            "counts": None if counts is None else Counts(**{**counts, "outcomes": tuple(counts.get("outcomes", ()))}),
        }
    )


def _visit(stored: Mapping[str, Any]) -> Visit:
    instances = stored.get("instances")
    return Visit(
        **{
            **stored,
            "key_state": KeyState(stored.get("key_state", "")),
            "fired": tuple(stored.get("fired", ())),
            "instances": None if instances is None else tuple(_instance(one) for one in instances),
        }
    )


def _instance(stored: Mapping[str, Any]) -> Instance:
    return Instance(**{**stored, "status": InstanceStatus(stored.get("status", InstanceStatus.WAITING))})
