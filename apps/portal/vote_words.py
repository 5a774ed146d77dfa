"""The vote rule of a level in words: `2 of 3 must agree; one veto rejects`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apps.approvals.quorum import Level, Rule
from apps.portal.phrases import listed


def rule_words(level: Level, *, seats: int, decided_by_one: bool = False) -> str:
    """What approves the level and what rejects it, for that many seats.

    `decided_by_one`: its chair, or the people it was escalated to, are asked now; one answer of theirs settles it.
    """
    if decided_by_one or seats <= 1:
        return "one answer decides"
    if level.rule.kind == "any" and level.reject.kind == "any":
        return f"the first answer of {seats} decides"
    if level.rule.kind == "all_then_any":
        return f"all {seats} are heard, then one approval is enough"
    parts = [f"{_AGREE[level.rule.kind](level.rule, seats)} must agree", _rejects(level.reject, seats)]
    return "; ".join([*parts, "a tie goes to the chair"] if level.chair else parts)


def _rejects(rule: Rule, seats: int) -> str:
    if rule.kind == "any":
        return "one veto rejects"
    return f"{_AGREE[rule.kind](rule, seats)} must reject to reject it"


def _groups(rule: Rule, seats: int) -> str:
    return listed([f"{group.n} of “{group.id}”" for group in rule.groups], "and")


_AGREE: Mapping[str, Callable[[Rule, int], str]] = {
    "any": lambda rule, seats: f"1 of {seats}",
    "all": lambda rule, seats: f"all {seats}",
    "majority": lambda rule, seats: f"more than half of {seats}",
    "quorum": lambda rule, seats: f"{rule.n} of {seats}",
    "percent": lambda rule, seats: f"{rule.p} % of {seats}",
    "per_group": _groups,
}
