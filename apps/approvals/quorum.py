"""Who must say what before a level of an approval has its answer. Pure.

Of S seats, A approve, R reject and X abstain; C = S - X count. A rule is met by its yes votes among those that count:
`any` one of them, `all` every one of them and at least one. Votes are read in order and the first rule met decides; a
`return` ends the level at once. When neither rule can be met any more it is a tie, and a tie is a rejection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from apps.approvals.documents import Level, LevelRule, Policy, Rule, check_policy, parse_policy
from apps.core.errors import InvalidInput

__all__ = [
    "VOTE_RULES",
    "Level",
    "LevelRule",
    "Policy",
    "Rule",
    "Tally",
    "Vote",
    "check_policy",
    "parse_policy",
    "tally",
]

PENDING, APPROVED, REJECTED, RETURNED = "pending", "approved", "rejected", "returned"
VERDICTS = ("approve", "reject", "return", "abstain")


@dataclass(frozen=True, kw_only=True)
class Vote:
    """The one answer of a seat: `approve`, `reject`, `return` or `abstain`."""

    seat: str | int
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How a level stands. `missing` are the seats it still waits for; a decided level waits for nobody.

    `reason` is `waiting`, `no_seats`, `approve_rule`, `reject_rule`, `return` or `tie`.
    """

    status: str
    reason: str
    missing: tuple[str | int, ...]
    can_still_change: bool


class Voted(Protocol):
    """What a tally reads of a level: its two rules."""

    @property
    def rule(self) -> Rule: ...
    @property
    def reject(self) -> Rule: ...


class VoteRule(Protocol):
    """A kind of rule: met by `yes` votes of the `counted` seats. More yes votes never make it unmet."""

    def met(self, rule: Rule, *, yes: int, counted: int) -> bool: ...


class AnyOf:
    """The first yes decides."""

    def met(self, rule: Rule, *, yes: int, counted: int) -> bool:
        return yes >= 1


class AllOf:
    """Everybody who does not abstain says yes, and somebody does."""

    def met(self, rule: Rule, *, yes: int, counted: int) -> bool:
        return yes == counted >= 1


VOTE_RULES: Mapping[str, VoteRule] = MappingProxyType({"any": AnyOf(), "all": AllOf()})


@dataclass(frozen=True, kw_only=True)
class _Count:
    seats: int
    approve: int
    reject: int
    abstain: int

    @property
    def unanswered(self) -> int:
        return self.seats - self.approve - self.reject - self.abstain

    def meets(self, rule: Rule, yes: int) -> bool:
        return VOTE_RULES[rule.kind].met(rule, yes=yes, counted=self.seats - self.abstain)

    def may_meet(self, rule: Rule, yes: int) -> bool:
        """Whether it would be met if every seat that has not answered said yes; nothing helps a rule more."""
        return self.meets(rule, yes + self.unanswered)


def tally(level: Voted, seats: Sequence[str | int], decisions: Sequence[Vote]) -> Tally:
    """Read the votes in order until one decides; what comes after it is not read.

    A level without seats stays pending: it needs somebody to ask. Raises `InvalidInput` for a vote of a seat that is
    not there or has voted already, for an unknown verdict, and for a kind of rule that is not in `VOTE_RULES`.
    """
    _refuse_unknown_rules(level)
    if not seats:
        return Tally(status=PENDING, reason="no_seats", missing=(), can_still_change=True)
    given: dict[str | int, str] = {}
    for vote in decisions:
        _refuse_impossible(vote, seats, given)
        given[vote.seat] = vote.verdict
        ended = _ended(level, len(seats), given, vote)
        if ended:
            status, reason = ended
            return Tally(status=status, reason=reason, missing=(), can_still_change=False)
    missing = tuple(seat for seat in seats if seat not in given)
    return Tally(status=PENDING, reason="waiting", missing=missing, can_still_change=True)


def _ended(level: Voted, seats: int, given: Mapping[str | int, str], vote: Vote) -> tuple[str, str] | None:
    if vote.verdict == "return":
        return RETURNED, "return"
    votes = list(given.values())
    approve, reject = votes.count("approve"), votes.count("reject")
    count = _Count(seats=seats, approve=approve, reject=reject, abstain=votes.count("abstain"))
    if count.meets(level.rule, approve):
        return APPROVED, "approve_rule"
    if count.meets(level.reject, reject):
        return REJECTED, "reject_rule"
    if not count.may_meet(level.rule, approve) and not count.may_meet(level.reject, reject):
        return REJECTED, "tie"
    return None


def _refuse_unknown_rules(level: Voted) -> None:
    unknown = [rule.kind for rule in (level.rule, level.reject) if rule.kind not in VOTE_RULES]
    if unknown:
        raise InvalidInput({"rule": [f"There is no rule “{kind}”." for kind in unknown]})


def _refuse_impossible(vote: Vote, seats: Sequence[str | int], given: Mapping[str | int, str]) -> None:
    if vote.verdict not in VERDICTS:
        raise InvalidInput({"decisions": [f"“{vote.verdict}” is no verdict."]})
    if vote.seat not in seats:
        raise InvalidInput({"decisions": [f"Seat {vote.seat} is not at this level."]})
    if vote.seat in given:
        raise InvalidInput({"decisions": [f"Seat {vote.seat} has decided already."]})
