"""Which people: by role, by team, by the reporting line. Only active people are found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Value

from apps.accounts.models import Delegation, Team, User
from apps.accounts.stand_ins import away

CHAIN_LENGTH = 5


def named_people(
    *, person: str = "", role: str = "", team: str = "", leads: str = "", at: datetime | None = None
) -> list[User]:
    """Active people by one rule: a user name, a role, a team (by key) or the lead of a team; by id; one statement.

    Each has `through`, the id of the group they were found by (None for a person or a lead), and with `at` also
    `is_away`: whether a deputy answers for them then.
    """
    if role:
        found = User.objects.filter(groups__name=role, groups__team__isnull=True)
    else:
        wanted = {"username": person, "groups__team__key": team, "leads__key": leads}
        found = User.objects.filter(**{lookup: value for lookup, value in wanted.items() if value})
    through = F("groups__id") if role or team else Value(None, output_field=IntegerField())
    return list(_with_absence(found.filter(is_active=True).annotate(through=through), at).order_by("id"))


def people_called(usernames: Iterable[str], *, at: datetime) -> list[User]:
    """The active people with these user names, by id, each with `is_away`; one statement, none for no names."""
    names = list(usernames)
    return (
        list(_with_absence(User.objects.filter(username__in=names, is_active=True), at).order_by("id")) if names else []
    )


def _with_absence(people: QuerySet[User], at: datetime | None) -> QuerySet[User]:
    return people if at is None else people.annotate(is_away=away(at))


def people_in(*, roles: Iterable[str] = (), teams: Iterable[str] = (), usernames: Iterable[str] = ()) -> list[User]:
    """Active people of any of the roles, teams (by key) or usernames, each once, by id; one statement."""
    wanted = (
        Q(groups__name__in=list(roles), groups__team__isnull=True)
        | Q(groups__team__key__in=list(teams))
        | Q(username__in=list(usernames))
    )
    return list(User.objects.filter(wanted, is_active=True).distinct().order_by("id"))


def manager_of(person: User, *, up: int = 1, at: datetime | None = None) -> User | None:
    """The active manager `up` levels above (at most five); one statement. None where the line ends or they left.

    With `at` they have `is_away`: whether a deputy answers for them then.
    """
    below = "__".join(["reports"] * min(up, CHAIN_LENGTH))
    above = User.objects.filter(**{below: person.pk}, is_active=True).exclude(pk=person.pk)
    return _with_absence(above, at).first()


def staffed_team(key: str) -> Team | None:
    """The team with this key if it has an active member; one statement."""
    return Team.objects.select_related("group").filter(_member("group_id"), key=key).first()


def staffed_role(name: str) -> Group | None:
    """The group of a role (team groups are not roles) if an active person has it; one statement."""
    return Group.objects.filter(_member("pk"), name=name, team__isnull=True).first()


def _member(group: str) -> Exists:
    return Exists(User.objects.filter(groups=OuterRef(group), is_active=True))


def people_of_principals(principals: Iterable[str]) -> list[User]:
    """The active people behind principals (`user:7`, `group:3`), each once, by id; one statement."""
    users: list[int] = []
    groups: list[int] = []
    for principal in principals:
        kind, _, pk = principal.partition(":")
        (users if kind == "user" else groups).append(int(pk))
    return list(User.objects.filter(Q(pk__in=users) | Q(groups__in=groups), is_active=True).distinct().order_by("id"))


def all_delegations() -> QuerySet[Delegation]:
    """Everybody's absences, newest first, with their people."""
    return Delegation.objects.select_related("deputy", "principal").order_by("-id")


def delegations_of(person: User) -> QuerySet[Delegation]:
    """The absences of a person, newest first, with their people."""
    return all_delegations().filter(principal=person)


def all_deputyships_of(person: User) -> QuerySet[Delegation]:
    """The absences in which a person is the deputy, newest first, with their people."""
    return all_delegations().filter(deputy=person)


def deputyships_of(person: User, *, at: datetime) -> QuerySet[Delegation]:
    """Where a person is somebody's deputy, now or soon: what is not over, by its start."""
    open_ones = all_deputyships_of(person).filter(ended_at=None, ends_at__gt=at, principal__is_active=True)
    return open_ones.order_by("starts_at", "id")
