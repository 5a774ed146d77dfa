"""Which people: by role, by team, by the reporting line. Only active people are found."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, Q

from apps.accounts.models import Team, User

CHAIN_LENGTH = 5


def people_in(*, roles: Iterable[str] = (), teams: Iterable[str] = (), usernames: Iterable[str] = ()) -> list[User]:
    """Active people of any of the roles, teams (by key) or usernames, each once, by id; one statement."""
    wanted = (
        Q(groups__name__in=list(roles), groups__team__isnull=True)
        | Q(groups__team__key__in=list(teams))
        | Q(username__in=list(usernames))
    )
    return list(User.objects.filter(wanted, is_active=True).distinct().order_by("id"))


def manager_of(person: User, *, up: int = 1) -> User | None:
    """The active manager `up` levels above (at most five); one statement. None where the line ends or they left."""
    path = "__".join(["manager"] * min(up, CHAIN_LENGTH))
    found = User.objects.filter(pk=person.pk).select_related(path).get()
    above: User | None = found
    for _ in range(up):
        above = above.manager if above else None
    return above if above and above.is_active and above.pk != person.pk else None


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
