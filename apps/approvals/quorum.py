"""Who must say what before a level of an approval has its answer. Pure.

Of S seats, A approve, R reject and X abstain; C = S - X count. Votes are read in order and the first rule met decides;
a `return` ends the level at once. A level ends as soon as nothing that could still be said would change its result, but
`all_then_any` hears everybody first. Where neither rule can be met any more it is a tie: the chair decides, if the
level has one, else it is rejected. A seat that `decides` (a chair's, or one of an escalation) settles the level by
itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from apps.approvals.documents import Approver, Deadline, Level, LevelRule, Policy, Rule, SignOff, parse_policy
from apps.approvals.policy_check import check_policy
from apps.core.errors import InvalidInput

__all__ = [
    "VOTE_RULES",
    "Deadline",
    "Level",
    "LevelRule",
    "Place",
    "Policy",
    "Rule",
    "SignOff",
    "Tally",
    "Vote",
    "check_policy",
    "parse_policy",
    "tally",
]

PENDING, APPROVED, REJECTED, RETURNED = "pending", "approved", "rejected", "returned"
APPROVE, REJECT, RETURN, ABSTAIN = "approve", "reject", "return", "abstain"
VERDICTS = (APPROVE, REJECT, RETURN, ABSTAIN)
HEARS_EVERYBODY = "all_then_any"
Name = str | int


@dataclass(frozen=True, kw_only=True)
class Place:
    """A seat with the groups of the rule it sits in; one that `decides` settles the level by itself."""

    seat: Name
    groups: frozenset[str] = frozenset()
    decides: bool = False


@dataclass(frozen=True, kw_only=True)
class Vote:
    """The one answer of a seat: `approve`, `reject`, `return` or `abstain`."""

    seat: Name
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How a level stands. `missing` are the seats it still waits for; a decided level waits for nobody.

    `reason` is `waiting`, `no_seats`, `approve_rule`, `reject_rule`, `return`, `out_of_reach` (it cannot be approved
    any more), `everybody` (all were heard), `decider`, or `tie`: pending with a tie, it waits for its chair's seat, or
    for more people.
    """

    status: str
    reason: str
    missing: tuple[Name, ...]
    can_still_change: bool


class Voted(Protocol):
    """What a tally reads of a level: its two rules, and whether it has a chair."""

    @property
    def rule(self) -> Rule: ...
    @property
    def reject(self) -> Rule: ...
    @property
    def chair(self) -> Approver | None: ...


@dataclass(frozen=True, kw_only=True)
class Count:
    """What a rule judges: the places that say yes, and how many count (all that do not abstain)."""

    yes: tuple[Place, ...]
    counted: int

    def of(self, group: str) -> int:
        """How many of the group say yes."""
        return sum(group in place.groups for place in self.yes)


class VoteRule(Protocol):
    """A kind of rule. More yes votes never make it unmet."""

    def __call__(self, rule: Rule, count: Count) -> bool: ...


def _any(rule: Rule, count: Count) -> bool:
    return len(count.yes) >= 1


def _all(rule: Rule, count: Count) -> bool:
    return len(count.yes) == count.counted >= 1


def _majority(rule: Rule, count: Count) -> bool:
    return 2 * len(count.yes) > count.counted


def _quorum(rule: Rule, count: Count) -> bool:
    return len(count.yes) >= (rule.n or 1)


def _percent(rule: Rule, count: Count) -> bool:
    return count.counted >= 1 and 100 * len(count.yes) >= (rule.p or 100) * count.counted


def _per_group(rule: Rule, count: Count) -> bool:
    return all(count.of(group.id) >= group.n for group in rule.groups)


VOTE_RULES: Mapping[str, VoteRule] = MappingProxyType(
    {
        "any": _any,
        "all": _all,
        "majority": _majority,
        "quorum": _quorum,
        "percent": _percent,
        "per_group": _per_group,
        HEARS_EVERYBODY: _any,
    }
)


def tally(
    level: Voted,
    seats: Sequence[Name | Place],
    decisions: Sequence[Vote],
    *,
    closed: bool = False,
    waits: bool = False,
) -> Tally:
    """Read the votes in order until one decides; what comes after it is not read.

    Where one vote meets both rules the level is approved: an abstention can do that to two shares.
    `closed`: nobody else will answer, who has not counts as abstaining. `waits`: more people will be asked, so a level
    that cannot be approved stays pending until its reject rule or a `return` ends it. A level without seats stays
    pending: it needs somebody to ask. Raises `InvalidInput` for a vote of a seat that is not there or has voted
    already, for an unknown verdict, and for a kind of rule that is not in `VOTE_RULES`.
    """
    _refuse_unknown_rules(level)
    places = {place.seat: place for place in map(_place, seats)}
    if not places:
        return Tally(status=PENDING, reason="no_seats", missing=(), can_still_change=True)
    voting = _Voting(level=level, places=places, waits=waits)
    for vote in decisions:
        _refuse_impossible(vote, places, voting.given)
        voting.given[vote.seat] = vote.verdict
        if ended := voting.ended_by(vote):
            return _settled(*ended)
    if not voting.deciders and (reached := voting.reached(closed=closed)):
        status, reason = reached
        return _settled(status, reason) if status != PENDING else _tied(reason)
    missing = tuple(seat for seat in voting.asked if seat not in voting.given)
    if not missing:
        return _settled(REJECTED, "tie")
    return Tally(status=PENDING, reason="waiting", missing=missing, can_still_change=True)


def _place(seat: Name | Place) -> Place:
    return seat if isinstance(seat, Place) else Place(seat=seat)


def _settled(status: str, reason: str) -> Tally:
    return Tally(status=status, reason=reason, missing=(), can_still_change=False)


def _tied(reason: str) -> Tally:
    return Tally(status=PENDING, reason=reason, missing=(), can_still_change=True)


class _Voting:
    """A level as far as its votes were read."""

    def __init__(self, *, level: Voted, places: Mapping[Name, Place], waits: bool) -> None:
        self.level = level
        self.can_be_helped = waits or level.chair is not None
        self.members = tuple(place for place in places.values() if not place.decides)
        self.deciders = frozenset(seat for seat, place in places.items() if place.decides)
        self.asked = tuple(seat for seat in places if seat in self.deciders or not self.deciders)
        self.given: dict[Name, str] = {}

    def ended_by(self, vote: Vote) -> tuple[str, str] | None:
        """What this vote, the last of those read, has decided."""
        if vote.verdict == RETURN:
            return RETURNED, "return"
        if vote.seat in self.deciders:
            return {APPROVE: (APPROVED, "decider"), REJECT: (REJECTED, "decider")}.get(vote.verdict)
        reached = None if self.deciders else self.reached()
        return None if reached is None or reached[0] == PENDING else reached

    def reached(self, *, closed: bool = False) -> tuple[str, str] | None:
        """The result that the members' votes have settled, None if it is open. A pending `tie` waits for the chair."""
        silent = () if closed else tuple(place for place in self.members if place.seat not in self.given)
        abstained = len(self.members) - len(silent) - len(self._said(APPROVE)) - len(self._said(REJECT))
        counted = len(self.members) - abstained
        approve, reject = self._said(APPROVE), self._said(REJECT)
        if self.level.rule.kind == HEARS_EVERYBODY:
            if silent:
                return None
            return (APPROVED if approve else REJECTED), "everybody"
        rule, against = VOTE_RULES[self.level.rule.kind], VOTE_RULES[self.level.reject.kind]
        if rule(self.level.rule, Count(yes=approve, counted=counted)):
            return APPROVED, "approve_rule"
        if against(self.level.reject, Count(yes=reject, counted=counted)):
            return REJECTED, "reject_rule"
        if rule(self.level.rule, Count(yes=(*approve, *silent), counted=counted)):
            return None
        if not against(self.level.reject, Count(yes=(*reject, *silent), counted=counted)):
            return (PENDING if self.can_be_helped else REJECTED), "tie"
        return None if self.can_be_helped else (REJECTED, "out_of_reach")

    def _said(self, verdict: str) -> tuple[Place, ...]:
        return tuple(place for place in self.members if self.given.get(place.seat) == verdict)


def _refuse_unknown_rules(level: Voted) -> None:
    unknown = [rule.kind for rule in (level.rule, level.reject) if rule.kind not in VOTE_RULES]
    if unknown:
        raise InvalidInput({"rule": [f"There is no rule “{kind}”." for kind in unknown]})


def _refuse_impossible(vote: Vote, places: Mapping[Name, Place], given: Mapping[Name, str]) -> None:
    if vote.verdict not in VERDICTS:
        raise InvalidInput({"decisions": [f"“{vote.verdict}” is no verdict."]})
    if vote.seat not in places:
        raise InvalidInput({"decisions": [f"Seat {vote.seat} is not at this level."]})
    if vote.seat in given:
        raise InvalidInput({"decisions": [f"Seat {vote.seat} has decided already."]})
