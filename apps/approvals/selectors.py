"""Whom approver rules name, and where somebody's answer is waited for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from apps.accounts import selectors as accounts
from apps.accounts.cast import Cast
from apps.accounts.models import User
from apps.accounts.stand_ins import Scope
from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import ApprovalPolicyVersion, Seat
from apps.approvals.policies import has_answer
from apps.approvals.quorum import Place, Policy, Vote, parse_policy

Rule = Mapping[str, Any]
MOST_PEOPLE = 200


@dataclass(frozen=True, kw_only=True)
class Approver:
    """A person who is asked, and the rule that named them.

    `through` is the id of the group (role, team) they were found by; `groups` are the sign-off groups they count in;
    `principal` is the person they answer for, `kept_from` the id of a deputy to whom the seat does not go; `decides`
    makes theirs the seat that settles the level.
    """

    user: User
    because: Rule
    through: int | None = None
    groups: frozenset[str] = frozenset()
    principal: User | None = None
    decides: bool = False
    kept_from: int | None = None

    @property
    def named(self) -> User:
        """The person the rule named."""
        return self.principal or self.user


class Names(Protocol):
    """What approver rules ask of a request. Expressions raise GuardFailed."""

    def holds(self, guard: str) -> bool:
        """Whether a guard holds."""

    def value(self, expression: str) -> Any:
        """What an expression gives."""

    def field(self, name: str) -> Any:
        """The stored value of a field, None where it is empty or missing."""

    def owner_of(self, item: str) -> User | None:
        """The owner of a catalogue item."""


@dataclass(frozen=True, kw_only=True)
class Concerned:
    """What approver rules start from; in a replayed history also who held which role.

    `scope` is what a deputy must be allowed to answer; `edited_by` the id of whoever last changed the data.
    """

    requester: User
    requested_for: User
    at: datetime
    names: Names
    scope: Scope
    edited_by: int | None = None
    cast: Cast | None = None


def resolve_approvers(rules: Sequence[Rule], *, people: Concerned) -> list[Approver]:
    """The active people the rules name, each once, under the first rule that names them; one statement a rule.

    Raises GuardFailed where a row of a matrix or an expression cannot be evaluated.
    """
    found: dict[int, Approver] = {}
    for rule in rules:
        for approver in _people_of(rule, people):
            found.setdefault(approver.user.pk, approver)
    return list(found.values())


def _people_of(rule: Rule, concerned: Concerned) -> Iterator[Approver]:
    if "matrix" in rule:
        for inner in _row(rule["matrix"], concerned):
            yield from _people_of(inner, concerned)
        return
    for user in _named(rule, concerned):
        yield Approver(user=user, because=rule, through=getattr(user, "through", None))


def _row(rows: Sequence[Rule], concerned: Concerned) -> Sequence[Rule]:
    """The approvers of the first row that holds; the last one always does."""
    for row in rows:
        if "otherwise" in row or concerned.names.holds(row["when"]):
            approvers: Sequence[Rule] = row.get("otherwise") or row["approvers"]
            return approvers
    return ()


def _named(rule: Rule, concerned: Concerned) -> list[User]:
    at = concerned.at
    if "manager_of" in rule:
        manager = accounts.manager_of(getattr(concerned, rule["manager_of"]), up=rule.get("up", 1), at=at)
        return [manager] if manager else []
    if "owner_of" in rule:
        owner = concerned.names.owner_of(rule["owner_of"])
        return accounts.people_called([owner.username], at=at) if owner else []
    if "field" in rule or "cel" in rule:
        value = concerned.names.field(rule["field"]) if "field" in rule else concerned.names.value(rule["cel"])
        return accounts.people_called(_usernames(value), at=at)
    held = _held(rule, concerned.cast) if concerned.cast else None
    if held is not None:
        return held
    kind = next(kind for kind in ("person", "role", "team", "manager_of_team") if kind in rule)
    return accounts.named_people(**{"leads" if kind == "manager_of_team" else kind: rule[kind]}, at=at)


def _usernames(value: Any) -> list[str]:
    """The user names that a field or an expression gives: one, or a list of them."""
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values[:MOST_PEOPLE] if isinstance(one, str) and one]


def _held(rule: Rule, cast: Cast) -> list[User] | None:
    if "role" in rule:
        return cast.holders(rule["role"])
    return cast.members(rule["team"]) if "team" in rule else None


def open_seats(approval_id: int) -> QuerySet[Seat]:
    """The seats of the level that is open (or was last), with their decisions, level and approval, by id.

    Each says whether it `stands`: whether the person named is active and still in the role or team that named them.
    """
    return with_standing(
        Seat.objects.filter(
            level__approval_id=approval_id, level__index=F("level__approval__level"), left_at__isnull=True
        )
        .select_related("level__approval__visit", "decision")
        .order_by("id")
    )


def with_standing(seats: QuerySet[Seat]) -> QuerySet[Seat]:
    """The seats with `stands`."""
    named = Coalesce(OuterRef("principal_id"), OuterRef("user_id"))
    member = Exists(User.groups.through.objects.filter(user_id=named, group_id=OuterRef("through")))
    stands = (Q(principal__isnull=True) | Q(principal__is_active=True)) & (Q(through__isnull=True) | Q(member))
    return seats.annotate(
        stands=Case(When(stands, then=Value(True)), default=Value(False), output_field=BooleanField())
    )


def places_of(seats: Iterable[Seat]) -> list[Place]:
    """The seats as a tally reads them."""
    return [Place(seat=seat.pk, groups=frozenset(seat.sign_offs), decides=seat.decides) for seat in seats]


def votes_of(seats: Iterable[Seat]) -> list[Vote]:
    """The answers in the order in which they were given."""
    given = sorted((seat.decision for seat in seats if has_answer(seat)), key=lambda decision: decision.pk)
    return [Vote(seat=decision.seat_id, verdict=decision.verdict) for decision in given]


def waiting_for(user: User) -> QuerySet[Seat]:
    """Seats on which this person's answer is waited for now, newest first."""
    return (
        Seat.objects.filter(
            user=user,
            decision__isnull=True,
            left_at__isnull=True,
            level__approval__status=ApprovalStatus.PENDING,
            level__index=F("level__approval__level"),
        )
        .select_related("level__approval", "principal")
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
