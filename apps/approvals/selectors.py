"""Who is asked, and where somebody's answer is waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import F, QuerySet

from apps.accounts import selectors as accounts
from apps.accounts.cast import Cast
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


@dataclass(frozen=True, kw_only=True)
class Concerned:
    """The people of a request that approver rules can start from; in a replayed history also who held which role."""

    requester: User
    requested_for: User
    cast: Cast | None = None


def resolve_approvers(rules: Sequence[Rule], *, people: Concerned) -> list[Approver]:
    """The active people the rules name, each once, under the first rule that names them.

    One statement for each kind of rule that occurs: persons, teams and roles together, managers one each.
    """
    found: dict[int, Approver] = {}
    for rule in rules:
        for user in _people_of(rule, people):
            found.setdefault(user.pk, Approver(user=user, because=rule))
    return list(found.values())


def _people_of(rule: Rule, concerned: Concerned) -> list[User]:
    if "manager_of" in rule:
        manager = accounts.manager_of(getattr(concerned, rule["manager_of"]), up=rule.get("up", 1))
        return [manager] if manager else []
    held = _held(rule, concerned.cast) if concerned.cast else None
    if held is not None:
        return held
    named = {f"{kind}s": [rule[kind]] for kind in ("role", "team") if kind in rule}
    return accounts.people_in(usernames=[rule["person"]] if "person" in rule else [], **named)


def _held(rule: Rule, cast: Cast) -> list[User] | None:
    if "role" in rule:
        return cast.holders(rule["role"])
    return cast.members(rule["team"]) if "team" in rule else None


def open_seats(approval_id: int) -> QuerySet[Seat]:
    """The seats of the level that is open (or was last), with their decisions, level and approval, by id."""
    return (
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
        .select_related("level__approval")
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
