"""Approvals that nobody could answer, or too few people to decide them, as things are now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apps.accounts.selectors import named_people
from apps.approvals.quorum import check_policy
from apps.requests.models import CatalogItem
from apps.workflows.engine.problems import Problem

Json = Mapping[str, Any]
Rules = Sequence[Json]
NOBODY_CAN_ANSWER, TOO_FEW_APPROVERS = "nobody_can_answer", "too_few_approvers"
LIVENESS = frozenset({NOBODY_CAN_ANSWER, TOO_FEW_APPROVERS})
NAMED_BY = {"person": "person", "role": "role", "team": "team", "manager_of_team": "leads"}
STATIC = (*NAMED_BY, "owner_of")


def unanswerable(document: Json, policies: Mapping[str, Json]) -> Iterator[Problem]:
    """A problem for each level, in every row of its matrix, that the people who are active now could not decide.

    Rules that name people outright (a person, team, role, the lead of a team, the owner of an item) must name somebody
    active, and with the fallback seat as many as the level needs: `n` of a quorum, `n` in each sign-off group, else
    one. Where a rule depends on the request (managers, fields, expressions) it is not known how many it names, but
    the level or the fallback must name somebody outright. So must whom a deadline escalates to and the chair, or the
    fallback for them. With `not_requester` it takes one more, since one may be the requester.
    `policies` are the documents that `policy_ref` names, by key; a policy that is broken is not looked at.
    """
    people = lru_cache(maxsize=None)(_people)
    for index, step in enumerate(document["steps"]):
        inline = "policy" in step
        policy = step["policy"] if inline else policies.get(step.get("policy_ref", ""))
        if policy is None or check_policy(policy):
            continue
        of_policy = _OfPolicy(people=people, policy=policy)
        for number, level in enumerate(policy["levels"]):
            for lack in of_policy.lacking_at(level):
                path = f"policy/levels/{number}/{lack.place}" if inline else "policy_ref"
                text = f"Step {step['id']!r}: {lack.text}."
                yield Problem(code=lack.code, message=text, step=step["id"], path=f"steps/{index}/{path}")


@dataclass(frozen=True, kw_only=True)
class _Lack:
    """What a level lacks, as words, and where in the level."""

    code: str
    text: str
    place: str


@dataclass(frozen=True, kw_only=True)
class _OfPolicy:
    people: Callable[[str], frozenset[int]]
    policy: Json

    def lacking_at(self, level: Json) -> Iterator[_Lack]:
        rule, whose = level["rule"], f"level {level['id']!r}"
        if "groups" not in rule:
            yield from self._lacking(level["approvers"], "approvers", whose, n=rule.get("n", 1))
        for number, group in enumerate(rule.get("groups", ())):
            subject = f"the group {group['id']!r} of {whose}"
            place = f"rule/groups/{number}/approvers"
            yield from self._lacking(group["approvers"], place, subject, n=group.get("n", 1))
        if "to" in level.get("deadline", {}):
            yield from self._lacking(level["deadline"]["to"], "deadline/to", f"the deadline of {whose}", helped=True)
        if "chair" in level:
            yield from self._lacking([level["chair"]], "chair", f"the chair of {whose}", helped=True)

    def _lacking(
        self, approvers: Rules, place: str, subject: str, *, n: int = 1, helped: bool = False
    ) -> Iterator[_Lack]:
        """What is missing where these are asked for `n` answers. `helped`: the fallback alone will do."""
        for rules in _rows(approvers):
            outright = [rule for rule in rules if any(kind in rule for kind in STATIC)]
            named = self._found(outright)
            able = named | self._found(self.policy.get("fallback", ()))
            wanted = (n if len(outright) == len(rules) else 1) + self._spare
            nobody = not named and bool(outright) and not helped
            if nobody or len(able) < wanted:
                most = 0 if nobody else len(able)
                code = TOO_FEW_APPROVERS if n > 1 and most else NOBODY_CAN_ANSWER
                yield _Lack(code=code, place=place, text=f"{subject} {_words(wanted, most, outright, n)}")

    @property
    def _spare(self) -> int:
        return 1 if "not_requester" in self.policy.get("separation", ()) else 0

    def _found(self, rules: Rules) -> frozenset[int]:
        """The ids of the active people whom rules name outright."""
        return frozenset(pk for rule in rules for pk in self.people(json.dumps(dict(rule), sort_keys=True)))


def _words(wanted: int, able: int, outright: Rules, n: int) -> str:
    if not outright:
        names = "nobody active" if wanted == 1 else "fewer than two active people"
        return f"names {names} in its fallback, which it needs because its approvers depend on the request"
    if able == 0 and wanted == 1:
        return "names nobody active"
    return "names fewer than two active people" if n == 1 else f"needs {wanted} active people and has {able}"


def _rows(approvers: Rules) -> Iterator[list[Json]]:
    """The rules that are asked together: those outside a matrix, with each of its rows in turn."""
    plain = [rule for rule in approvers if "matrix" not in rule]
    rows = [row for rule in approvers for row in rule.get("matrix", ())]
    if not rows:
        yield plain
    for row in rows:
        yield [*plain, *row.get("approvers", ()), *row.get("otherwise", ())]


def _people(rule: str) -> frozenset[int]:
    """The ids of the active people whom a rule (as JSON) names outright; none for one that depends on the request."""
    given = json.loads(rule)
    if "owner_of" in given:
        owners = CatalogItem.objects.filter(slug=given["owner_of"], owner__is_active=True)
        return frozenset(owners.values_list("owner_id", flat=True))
    kind = next((kind for kind in NAMED_BY if kind in given), None)
    return frozenset(user.pk for user in named_people(**{NAMED_BY[kind]: given[kind]})) if kind else frozenset()
