"""Who is asked, and where somebody's answer is waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import F, QuerySet

from apps.accounts import selectors as people
from apps.accounts.models import User
from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import ApprovalPolicyVersion, Seat
from apps.approvals.quorum import Policy, parse_policy

Rule = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Approver:
    """A person who is asked, and the rule that named them."""

    user: User
    because: Rule


def resolve_approvers(rules: Sequence[Rule], *, requester: User) -> list[Approver]:
    """The active people the rules name, each once, under the first rule that names them.

    One statement for each kind of rule that occurs: persons, teams and roles together, managers one each.
    """
    found: dict[int, Approver] = {}
    for rule in rules:
        for user in _people_of(rule, requester):
            found.setdefault(user.pk, Approver(user=user, because=rule))
    return list(found.values())


def _people_of(rule: Rule, requester: User) -> list[User]:
    if "manager_of" in rule:
        manager = people.manager_of(requester, up=rule.get("up", 1))
        return [manager] if manager else []
    named = {f"{kind}s": [rule[kind]] for kind in ("role", "team") if kind in rule}
    return people.people_in(usernames=[rule["person"]] if "person" in rule else [], **named)


def open_seats(approval_id: int) -> list[Seat]:
    """The seats of the level that is open, with their decisions, level and approval: one statement."""
    return list(
        Seat.objects.filter(level__approval_id=approval_id, level__index=F("level__approval__level"))
        .select_related("level__approval__visit", "decision")
        .order_by("id")
    )


def waiting_for(user: User) -> QuerySet[Seat]:
    """Seats on which this person's answer is waited for now, newest first."""
    return (
        Seat.objects.filter(
            user=user,
            decision__isnull=True,
            level__approval__status=ApprovalStatus.PENDING,
            level__index=F("level__approval__level"),
        )
        .select_related("level__approval__stream__request__item", "level__approval__stream__request__requester")
        .order_by("-level_id")
    )


@lru_cache(maxsize=256)
def policy_of(version_id: int) -> Policy:
    """The parsed policy of a version: immutable, so cached for ever."""
    return parse_policy(ApprovalPolicyVersion.objects.get(pk=version_id).document)


def current_policies() -> dict[str, ApprovalPolicyVersion]:
    """The newest version of every policy key."""
    rows = ApprovalPolicyVersion.objects.order_by("key", "n")
    return {row.key: row for row in rows}
