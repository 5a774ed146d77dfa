"""What a dry run found out: the path, who would be asked, what would be due, which actions would run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MOST_EVENTS = 10_000
MOST_RECORDED = 2_000_000
MOST_WORK = 200_000
Json = dict[str, Any]


class TooMuch(Exception):
    """The walk has become longer, or what it would show larger, than anybody reads."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class TrialProblem:
    """Something that did not go as it should. `entry` is the index in the script, where one is to blame."""

    code: str
    message: str
    step: str | None = None
    entry: int | None = None

    def to_json(self) -> Json:
        """As the problems of the gate, with the entry besides."""
        return {
            "code": self.code,
            "severity": "error",
            "step": self.step,
            "transition": None,
            "message": self.message,
            "path": "" if self.entry is None else f"script/{self.entry}",
            "entry": self.entry,
        }


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The answer, each list in order, its members as JSON:

    `path` {"at", "step", "event"}; `asked` {"step", "level", "people"} and `skipped`, the reason, of a level that does
    not apply (a task has no level); `due` {"step", "deadline", "at"}, a wait's own timer having no deadline; `actions`
    {"at", "step", "action", "with"}; `waiting` {"step", "visit", "instance", "name", "for"}. `ended` is the outcome,
    None while the run is open.
    """

    path: tuple[Json, ...] = ()
    asked: tuple[Json, ...] = ()
    due: tuple[Json, ...] = ()
    actions: tuple[Json, ...] = ()
    ended: str | None = None
    waiting: tuple[Json, ...] = ()
    problems: tuple[TrialProblem, ...] = ()

    def to_json(self) -> Json:
        """Plain JSON."""
        return {
            "path": list(self.path),
            "asked": list(self.asked),
            "due": list(self.due),
            "actions": list(self.actions),
            "ended": self.ended,
            "waiting": list(self.waiting),
            "problems": [problem.to_json() for problem in self.problems],
        }


@dataclass(kw_only=True)
class Record:
    """What is written down on the way. Raises TooMuch past 10,000 events, two million characters, or too much work."""

    events: int = 0
    work: int = 0
    size: int = 0
    path: list[Json] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    due: list[Json] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)
    problems: list[TrialProblem] = field(default_factory=list)

    def count(self) -> None:
        """One more event."""
        if self.events >= MOST_EVENTS:
            raise TooMuch("too_many_events", f"The dry run stopped after {MOST_EVENTS:,} events.")
        self.events += 1

    def labour(self, amount: int) -> None:
        """One more plan, over so many tokens and instances: what it costs grows with them."""
        self.work += amount
        if self.work > MOST_WORK:
            raise TooMuch("too_much_work", "The dry run stopped: with so many tokens or instances it takes too long.")

    def tell(self, at: datetime, step: str | None, event: str) -> None:
        self.path.append({"at": shown(at), "step": step, "event": event})

    def ask(self, step: str, level: str | None, people: tuple[str, ...], *, skipped: str | None = None) -> None:
        told: Json = {"step": step, "level": level, "people": list(people)}
        self._add(self.asked, told if skipped is None else {**told, "skipped": skipped})

    def note_due(self, step: str, deadline: str | None, at: datetime | None) -> None:
        self._add(self.due, {"step": step, "deadline": deadline, "at": None if at is None else shown(at)})

    def act(self, at: datetime, step: str, action: str, settings: Mapping[str, Any]) -> None:
        self._add(self.actions, {"at": shown(at), "step": step, "action": action, "with": dict(settings)})

    def blame(self, code: str, message: str, *, step: str | None = None, entry: int | None = None) -> None:
        self.weigh(message)
        self.problems.append(TrialProblem(code=code, message=message, step=step, entry=entry))

    def _add(self, where: list[Json], told: Json) -> None:
        self.weigh(told)
        where.append(told)

    def weigh(self, told: Any) -> None:
        """Counts what would be shown. Raises TooMuch."""
        self.size += len(json.dumps(told))
        if self.size > MOST_RECORDED:
            raise TooMuch("too_large", "The dry run stopped: what it would show has become too large.")


def shown(at: datetime) -> str:
    """A point in time as in the API: ISO 8601, UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
