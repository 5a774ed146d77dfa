"""Where expressions hide in rules that name people, and in approval policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Found = Iterator[tuple[str, str, bool]]


def expressions_of(rule: Mapping[str, Any], path: str) -> Found:
    """The expressions of one rule: `cel`, and those in the rows of a `matrix`."""
    if "cel" in rule:
        yield f"{path}/cel", rule["cel"], False
    for index, row in enumerate(rule.get("matrix", ())):
        place = f"{path}/matrix/{index}"
        if "when" in row:
            yield f"{place}/when", row["when"], True
        for key in ("approvers", "otherwise"):
            yield from expressions_in(row.get(key, ()), f"{place}/{key}")


def expressions_in(rules: Any, path: str) -> Found:
    """The expressions of a list of rules."""
    for index, rule in enumerate(rules):
        yield from expressions_of(rule, f"{path}/{index}")


def expressions_of_policy(policy: Mapping[str, Any], path: str) -> Found:
    """The expressions of an approval policy: its levels' guards and everything that names approvers."""
    for index, level in enumerate(policy["levels"]):
        place = f"{path}/levels/{index}"
        if "when" in level:
            yield f"{place}/when", level["when"], True
        yield from expressions_in(level.get("approvers", ()), f"{place}/approvers")
        yield from expressions_in(level.get("deadline", {}).get("to", ()), f"{place}/deadline/to")
        yield from expressions_of(level.get("chair", {}), f"{place}/chair")
        for number, group in enumerate(level.get("rule", {}).get("groups", ())):
            yield from expressions_in(group.get("approvers", ()), f"{place}/rule/groups/{number}/approvers")
    yield from expressions_in(policy.get("fallback", ()), f"{path}/fallback")
