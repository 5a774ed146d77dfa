"""A second, slow tally, written from the formulas of the design alone: it tries everything that could still be said.

It shares no code with `quorum.py`. Of S seats, A approve, R reject, X abstain, C = S - X. A level is over exactly when
every way in which the silent seats could still answer, one after the other, leads to the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from apps.approvals.quorum import LevelRule, Place, Rule, Tally, Vote

SILENT = ""
ANSWERS = ("approve", "reject", "abstain")
Member = tuple[frozenset[str], str]  # the groups of a seat, and what was said there
State = tuple[tuple[Member, int], ...]  # how many seats of each sort, in a fixed order: seats of a sort are alike


def is_met(rule: Rule, verdict: str, state: State) -> bool:
    """Whether the rule is met by the seats that gave this verdict: the formulas, one by one."""
    seats = sum(number for _, number in state)
    abstained = sum(number for (_, said), number in state if said == "abstain")
    yes, counted = sum(number for (_, said), number in state if said == verdict), seats - abstained
    if rule.kind == "any":
        return yes >= 1
    if rule.kind == "all":
        return yes == counted and counted >= 1
    if rule.kind == "majority":
        return 2 * yes > counted
    if rule.kind == "quorum":
        return yes >= rule.n
    if rule.kind == "percent":
        return counted >= 1 and 100 * yes >= rule.p * counted
    assert rule.kind == "per_group"
    return all(
        sum(number for (groups, said), number in state if said == verdict and group.id in groups) >= group.n
        for group in rule.groups
    )


def moved(state: State, sort: Member, said: str) -> State:
    """The state after one silent seat of that sort has answered."""
    counts = Counter(dict(state))
    counts[sort] -= 1
    counts[sort[0], said] += 1
    return written(counts)


def written(counts: Counter[Member]) -> State:
    found = [(sort, number) for sort, number in counts.items() if number]
    return tuple(sorted(found, key=lambda one: (sorted(one[0][0]), one[0][1])))


@cache
def ends(rule: Rule, reject: Rule, state: State) -> frozenset[str]:
    """Every way in which voting can still end from here: `approve_rule`, `reject_rule`, `tie`. The first rule met
    ends it, the approve rule where one vote meets both."""
    if is_met(rule, "approve", state):
        return frozenset({"approve_rule"})
    if is_met(reject, "reject", state):
        return frozenset({"reject_rule"})
    silent = [sort for sort, _ in state if sort[1] == SILENT]
    if not silent:
        return frozenset({"tie"})
    return frozenset(end for sort in silent for said in ANSWERS for end in ends(rule, reject, moved(state, sort, said)))


def state_of(places: Sequence[Place], said: dict[object, str]) -> State:
    return written(Counter((place.groups, said.get(place.seat, SILENT)) for place in places))


def expected(level: LevelRule, places: Sequence[Place], votes: Sequence[Vote], *, closed: bool = False) -> Tally:
    """What the tally must say of these votes, read in this order."""
    members = [place for place in places if not place.decides]
    deciders = {place.seat for place in places if place.decides}
    judge = _everybody if level.rule.kind == "all_then_any" else _by_rules
    said: dict[object, str] = {}
    for vote in votes:
        said[vote.seat] = vote.verdict
        if vote.verdict == "return":
            return over("returned", "return")
        if vote.seat in deciders and vote.verdict != "abstain":
            return over("approved" if vote.verdict == "approve" else "rejected", "decider")
        if not deciders and (result := judge(level, members, said)) and result[0] != "pending":
            return over(*result)
    if closed:
        said = {place.seat: said.get(place.seat, "abstain") for place in places}
    result = None if deciders else judge(level, members, said)
    if result is not None:
        return over(*result) if result[0] != "pending" else pending(result[1], ())
    asked = [place.seat for place in places if place.decides or not deciders]
    missing = tuple(seat for seat in asked if seat not in said)
    return pending("waiting", missing) if missing else over("rejected", "tie")


def _everybody(level: LevelRule, members: Sequence[Place], said: dict[object, str]) -> tuple[str, str] | None:
    answers = [said.get(place.seat) for place in members]
    if None in answers:
        return None
    return ("approved" if "approve" in answers else "rejected"), "everybody"


def _by_rules(level: LevelRule, members: Sequence[Place], said: dict[object, str]) -> tuple[str, str] | None:
    """A tie is the chair's, if there is one, else a rejection."""
    state = state_of(members, said)
    possible = ends(level.rule, level.reject, state)
    if possible == {"approve_rule"}:
        return "approved", "approve_rule"
    if possible == {"tie"}:
        return ("pending" if level.chair else "rejected"), "tie"
    if possible == {"reject_rule"}:
        return "rejected", "reject_rule"
    if "approve_rule" not in possible and not level.chair:
        return "rejected", "out_of_reach"
    return None


def over(status: str, reason: str) -> Tally:
    return Tally(status=status, reason=reason, missing=(), can_still_change=False)


def pending(reason: str, missing: tuple[object, ...]) -> Tally:
    return Tally(status="pending", reason=reason, missing=missing, can_still_change=True)
