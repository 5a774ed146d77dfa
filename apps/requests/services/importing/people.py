"""The people of a log: made up where it names none, and for each case who held which role in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from django.contrib.auth.models import Group
from django.db import transaction

from apps.accounts.enums import Role
from apps.accounts.models import Team, User
from apps.accounts.services import PastPerson, create_team, ensure_past_people, ensure_role
from apps.requests.eventlog.mapping import LogMapping
from apps.requests.eventlog.mapping import Role as LogRole

USERNAME_LENGTH = 150
UNFIT = re.compile(r"[^a-z0-9@.+_-]+")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Who a line of the log speaks of: a role of the log, and the name it gives ("" for nobody's)."""

    role: str
    name: str = ""


@dataclass(kw_only=True)
class Company:
    """Everybody a log speaks of. Roles and teams are made where they are missing; a named person is remembered."""

    mapping: LogMapping
    groups: dict[str, Group] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    named: dict[str, User] = field(default_factory=dict)

    @transaction.atomic
    def gather(self) -> None:
        """Finds or makes the roles and teams. A team that is made gets a made-up lead: leads may hold requests."""
        ensure_role(Role.ADMINISTRATOR)
        for role in self.mapping.roles.values():
            for name in role.roles:
                self.groups[name] = self.groups.get(name) or ensure_role(name)
            for key in role.teams:
                self.teams[key] = self.teams.get(key) or self._team(key)

    def _team(self, key: str) -> Team:
        team = Team.objects.select_related("group", "lead").filter(key=key).first()
        if team is not None:
            return team
        name, username = key.replace("-", " ").capitalize(), self.username(f"{key} lead")
        lead = ensure_past_people([PastPerson(username=username, first_name="Lead", last_name=name)])[username]
        return create_team(key, name=name, lead=lead, members=[lead])

    def casts(self, cases: Mapping[str, Iterable[Figure]]) -> dict[str, CaseCast]:
        """The people of several cases, everybody found or made in at most five statements."""
        wanted = {case: dict.fromkeys(figures) for case, figures in cases.items()}
        people = self.meet((case, figure) for case, figures in wanted.items() for figure in figures)
        return {
            case: CaseCast(company=self, case=case, people={figure: people[case, figure] for figure in figures})
            for case, figures in wanted.items()
        }

    def meet(self, figures: Iterable[tuple[str, Figure]]) -> dict[tuple[str, Figure], User]:
        """The person of each figure of a case. In a history everybody is active, whatever they are today."""
        wanted = {key: self._past_person(*key) for key in figures}
        found = ensure_past_people(_joined(person for person in wanted.values() if not self._is_known(person)))
        for user in found.values():
            user.is_active = True
        people = {key: found.get(person.username) or self.named[person.username] for key, person in wanted.items()}
        self.named |= {user.username: user for (_, figure), user in people.items() if figure.name}
        return people

    def _is_known(self, person: PastPerson) -> bool:
        """Whether a named person was met before, in every role that they have now."""
        known = self.named.get(person.username)
        return known is not None and known.group_ids >= {group.pk for group in person.groups}

    def _past_person(self, case: str, figure: Figure) -> PastPerson:
        name = figure.name or f"{case}\n{figure.role}"
        as_here = self.mapping.usernames and figure.name and UNFIT.sub("", figure.name.lower()) == figure.name.lower()
        role = self.mapping.roles[figure.role]
        called = role.name or figure.role.replace("_", " ").capitalize()
        return PastPerson(
            username=figure.name if as_here else self.username(name),
            first_name="" if figure.name else called[:150],
            last_name=(figure.name or f"of {case}")[:150],
            groups=self.groups_of(role),
        )

    def groups_of(self, role: LogRole) -> tuple[Group, ...]:
        """The groups of a role's roles and teams."""
        return (*(self.groups[name] for name in role.roles), *(self.teams[key].group for key in role.teams))

    def username(self, name: str) -> str:
        """A user name made of the source and a name. A part of their digest keeps apart what looks the same."""
        plain = UNFIT.sub("-", f"{self.mapping.source}-{name}".lower())
        mark = hashlib.sha256(f"{self.mapping.source}\n{name}".encode()).hexdigest()[:10]
        return f"{plain[: USERNAME_LENGTH - 11]}-{mark}"


@dataclass(kw_only=True)
class CaseCast:
    """Who acted in one case, by the figures of its lines; for a role that nobody acted in somebody is made up."""

    company: Company
    case: str
    people: dict[Figure, User] = field(default_factory=dict)
    late: list[Figure] = field(default_factory=list)

    def person(self, figure: Figure) -> User:
        """The person, made up if nobody has met them yet."""
        if figure not in self.people:
            self.people[figure] = self.company.meet([(self.case, figure)])[self.case, figure]
            self.late.append(figure)
        return self.people[figure]

    def forget_late(self) -> None:
        """Those who were made up on the way are gone with the transaction in which they were."""
        for figure in self.late:
            del self.people[figure]
        self.late = []

    def holders(self, role: str) -> list[User] | None:
        return self._of([name for name, entry in self.company.mapping.roles.items() if role in entry.roles])

    def members(self, team: str) -> list[User] | None:
        return self._of([name for name, entry in self.company.mapping.roles.items() if team in entry.teams])

    def role_group(self, role: str) -> Group | None:
        return self.company.groups.get(role)

    def team(self, team: str) -> Team | None:
        return self.company.teams.get(team)

    def _of(self, roles: list[str]) -> list[User] | None:
        """Who acts in one of these roles of the log; somebody made up if nobody does; None if there is no such role."""
        if not roles:
            return None
        found = {user.pk: user for figure, user in self.people.items() if figure.role in roles}
        return list(found.values()) or [self.person(Figure(role=roles[0]))]


def _joined(people: Iterable[PastPerson]) -> list[PastPerson]:
    """Each person once, with the groups of all their figures."""
    joined: dict[str, PastPerson] = {}
    for person in people:
        before = joined.setdefault(person.username, person)
        joined[person.username] = replace(before, groups=tuple(dict.fromkeys((*before.groups, *person.groups))))
    return list(joined.values())
