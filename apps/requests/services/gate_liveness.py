"""Approvals that nobody could answer, as things are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.accounts.selectors import people_in
from apps.workflows.engine.problems import Problem

Json = Mapping[str, Any]
NOBODY_CAN_ANSWER = "nobody_can_answer"
STATIC = ("person", "team", "role")


def unanswerable(document: Json, policies: Mapping[str, Json]) -> Iterator[Problem]:
    """A problem for each level (each row of its matrix) that no active person can answer.

    A level whose rules name people outright needs one of them active now. One that depends on the request alone
    (managers, fields, expressions) needs a fallback that does. With `not_requester` it takes two, since one may be the
    requester. `policies` are the documents that `policy_ref` names, by key.
    """
    for index, step in enumerate(document["steps"]):
        policy = step.get("policy") or policies.get(step.get("policy_ref", ""))
        if policy is not None:
            for level in policy.get("levels", ()):
                yield from _of_level(step, f"steps/{index}", policy, level)


def _of_level(step: Json, place: str, policy: Json, level: Json) -> Iterator[Problem]:
    needed = 2 if "not_requester" in policy.get("separation", ()) else 1
    for rules in _groups(level.get("approvers", ())):
        static = [rule for rule in rules if any(kind in rule for kind in STATIC)]
        if not _is_answerable(static, policy.get("fallback", ()), needed):
            whom = "" if static else " in its fallback, which it needs because its approvers depend on the request"
            names = f"names {'nobody active' if needed == 1 else 'fewer than two active people'}{whom}"
            text = f"Step {step['id']!r}: level {level.get('id')!r} {names}."
            yield Problem(code=NOBODY_CAN_ANSWER, message=text, step=step["id"], path=place)


def _is_answerable(static: Sequence[Json], fallback: Sequence[Json], needed: int) -> bool:
    if static and needed == 1:
        return bool(_people(static))
    return len(_people(static)) >= needed or len(_people(fallback)) >= needed


def _groups(approvers: Sequence[Json]) -> Iterator[list[Json]]:
    """The rules that are asked together: those outside a matrix, with each of its rows in turn."""
    plain = [rule for rule in approvers if "matrix" not in rule]
    rows = [row for rule in approvers for row in rule.get("matrix", ())]
    if not rows:
        yield plain
    for row in rows:
        yield [*plain, *row.get("approvers", ()), *row.get("otherwise", ())]


def _people(rules: Sequence[Json]) -> set[int]:
    """The active people that rules name outright."""
    named = {f"{kind}s": [rule[kind] for rule in rules if kind in rule] for kind in ("role", "team")}
    users = people_in(usernames=[rule["person"] for rule in rules if "person" in rule], **named)
    return {user.pk for user in users}
