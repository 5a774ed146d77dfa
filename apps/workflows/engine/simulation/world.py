"""What a dry run must know of the world: plain functions, handed in. The defaults know nobody and nothing.

A function that reads a database only reads. None of them carries anything out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.workflows.engine.definition import Definition, Step

Rule = Mapping[str, Any]
Facts = Mapping[str, Any]
Values = Mapping[str, Any]
People = tuple[str, ...]
Vote = tuple[str, str]

PENDING, TIE = "pending", "tie"
_ENDS = {"approve": "approved", "reject": "rejected", "return": "returned"}


def first_vote(people: People, votes: Sequence[Vote]) -> str:
    """The tally where no policy is known: the first vote decides."""
    return _ENDS[votes[0][1]] if votes else PENDING


def _nobody_there(facts: Facts, now: datetime) -> People:
    return ()


@dataclass(frozen=True, kw_only=True)
class Slate:
    """Who sits at a level that opens, how their votes count, and what an operator would be told (code, sentence).

    `tally` says from the votes (user name and verdict, in order) whether the level is `pending`, a `tie`, which the
    chair is asked to settle, or how it ended. It raises errors.InvalidInput for a vote that is impossible.
    """

    people: People
    tally: Callable[[Sequence[Vote]], str]
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """When a level that opened at a time must be decided, and what then happens: `escalate`, `approve`, `reject`,
    `return` or `expire`. `reminders` gives per cent and time of each for a time when it is due."""

    then: str
    due: Callable[[datetime], datetime | None]
    reminders: Callable[[datetime], tuple[tuple[int, datetime], ...]] = lambda due: ()


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of an approval policy. `when` is its guard, None if it always applies.

    `people` gives the user names of those it asks, the policy's fallback included; `tally` counts their votes as that
    of a slate does. Where who sits depends on who has answered at earlier levels, `seat` gives the slate instead.
    `chair` (on a tie) and `escalate` (when the time is over) give those of whom one then decides alone.
    `verdicts` are those that may be given.
    """

    id: str
    people: Callable[[Facts, datetime], People] = _nobody_there
    tally: Callable[[People, Sequence[Vote]], str] = first_vote
    when: str | None = None
    verdicts: tuple[str, ...] = ("approve", "reject", "return")
    seat: Callable[[Facts, datetime, People], Slate] | None = None
    chair: Callable[[Facts, datetime, People], People] | None = None
    escalate: Callable[[Facts, datetime, People], People] | None = None
    deadline: Deadline | None = None

    def slate(self, facts: Facts, now: datetime, earlier: People) -> Slate:
        """Who sits when it opens; `earlier` are those who have answered at earlier levels."""
        if self.seat is not None:
            return self.seat(facts, now, earlier)
        people = self.people(facts, now)
        return Slate(people=people, tally=lambda votes: self.tally(people, votes))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """An approval policy: its levels, in order."""

    levels: tuple[Level, ...]


def _nobody(rule: Rule, facts: Facts, now: datetime) -> People:
    return ()


def _never(seconds: float, calendar: str, since: datetime) -> datetime | None:
    return None


def _no_child(workflow: str) -> Definition | None:
    return None


def _no_policy(step: Step) -> Policy | None:
    return None


def _as_given(form: str | None, values: Values) -> Values:
    return values


@dataclass(frozen=True, kw_only=True)
class World:
    """Who and what a document meets.

    `people`: the user names of those a rule of an assignment resolves to, for the sample request.
    `due`: when so many business seconds of the calendar of that key have passed; None if there is no such calendar.
    `child`: the definition that a subflow to the workflow of that key runs; None if there is none.
    `policy`: the approval policy of a step; None if it is not known: then one decision ends the approval.
    `fields`: values that go into the request's data (computed ones, or those of the task's form of that key), as
    guards see them. Raises errors.InvalidInput by field.
    """

    people: Callable[[Rule, Facts, datetime], People] = _nobody
    due: Callable[[float, str, datetime], datetime | None] = _never
    child: Callable[[str], Definition | None] = _no_child
    policy: Callable[[Step], Policy | None] = _no_policy
    fields: Callable[[str | None, Values], Values] = _as_given
