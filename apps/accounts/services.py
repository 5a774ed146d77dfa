"""Writing people, teams and roles. Every change of membership is an event in the person's own stream."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction

from apps.accounts.enums import PersonEvent
from apps.accounts.models import Team, Ticket, User
from apps.core import clock
from apps.core.errors import NotPermitted
from apps.outbox.models import Stream
from apps.outbox.publish import NewEvent, lock_streams, new_stream, publish

TICKET_LIFE = timedelta(seconds=60)
TEAM_GROUP_PREFIX = "team: "


@transaction.atomic
def create_person(username: str, *, password: str | None, roles: Iterable[str] = (), **fields: Any) -> User:
    """A person with a stream of their own and their roles (made where missing). `fields` are those of `User`."""
    person = User.objects.create_user(username, password=password, stream=new_stream(Stream.Kind.PERSON), **fields)
    person.groups.set([ensure_role(role) for role in roles])
    return person


@dataclass(frozen=True, kw_only=True)
class PastPerson:
    """Somebody a history tells of, with the groups (roles, teams) they acted in."""

    username: str
    first_name: str = ""
    last_name: str = ""
    groups: tuple[Group, ...] = ()


@transaction.atomic
def ensure_past_people(people: Iterable[PastPerson]) -> dict[str, User]:
    """The people of a history by user name, made where they are missing; at most five statements for all of them.

    Those who are made cannot log in and are not active, so that no rule of today finds them. Who is there already
    stays as they are, and who is active gains nothing in the database: the groups they acted in are theirs in the
    returned instances alone, whose `memberships` are read already.
    """
    wanted = {person.username: person for person in sorted(people, key=lambda one: one.username)}
    if not wanted:
        return {}
    known = set(User.objects.filter(username__in=wanted).values_list("username", flat=True))
    unusable = make_password(None)
    User.objects.bulk_create(
        [
            User(username=name, password=unusable, first_name=one.first_name, last_name=one.last_name, is_active=False)
            for name, one in wanted.items()
            if name not in known
        ],
        ignore_conflicts=True,
    )
    found = {user.username: user for user in User.objects.filter(username__in=wanted)}
    gone = {name: one for name, one in wanted.items() if not found[name].is_active}
    pairs = {(found[name].pk, group.pk) for name, one in gone.items() for group in one.groups}
    membership = User.groups.through
    membership.objects.bulk_create(
        [membership(user_id=user, group_id=group) for user, group in sorted(pairs)],
        ignore_conflicts=True,
    )
    _read_memberships(found.values())
    for name, one in wanted.items():
        acted_in = {(group.pk, group.name, group.name.startswith(TEAM_GROUP_PREFIX)) for group in one.groups}
        found[name].memberships = tuple({*found[name].memberships, *acted_in})
    return found


def _read_memberships(people: Iterable[User]) -> None:
    """Fills `User.memberships` of all of them by one statement."""
    by_id = {user.pk: user for user in people}
    found: dict[int, list[tuple[int, str, bool]]] = {pk: [] for pk in by_id}
    rows = User.groups.through.objects.filter(user_id__in=by_id)
    for user_id, group_id, name, team_id in rows.values_list("user_id", "group_id", "group__name", "group__team__id"):
        found[user_id].append((group_id, name, team_id is not None))
    for pk, user in by_id.items():
        user.memberships = tuple(found[pk])


def ensure_role(name: str) -> Group:
    """The group of a role, made where it is missing."""
    return Group.objects.get_or_create(name=name)[0]


@transaction.atomic
def ensure_stream(person: User) -> Stream:
    """The person's stream, locked; made for people who came in by another way (createsuperuser, the admin)."""
    locked = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if locked.stream is None:
        locked.stream = new_stream(Stream.Kind.PERSON)
        locked.save(update_fields=["stream"])
    return lock_streams([locked.stream.pk])[0]


@transaction.atomic
def create_team(
    key: str, *, name: str, lead: User | None = None, members: Iterable[User] = (), calendar: str = ""
) -> Team:
    """A team with the group that holds its membership."""
    group = Group.objects.create(name=f"{TEAM_GROUP_PREFIX}{key}")
    team = Team.objects.create(key=key, name=name, lead=lead, calendar=calendar, group=group)
    group.user_set.set(members)
    return team


@transaction.atomic
def set_members(team: Team, *, members: Iterable[User], actor: User) -> None:
    """Makes the team's members exactly these; people who came or went get an `access.changed` event."""
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    before, after = set(team.group.user_set.all()), set(members)
    team.group.user_set.set(after)
    for person in sorted(before ^ after, key=lambda one: one.pk):
        tell_access_changed(person, actor=actor)


@transaction.atomic
def set_lead(team: Team, *, lead: User | None, actor: User) -> None:
    """Makes somebody the team's lead, or nobody; who came or went gets an `access.changed` event, for a lead sees what
    the team sees.
    """
    before = Team.objects.select_for_update(no_key=True).get(pk=team.pk).lead
    team.lead = lead
    team.save(update_fields=["lead"])
    if before != lead:
        for person in sorted(filter(None, (before, lead)), key=lambda one: one.pk):  # locked in one order
            tell_access_changed(person, actor=actor)


@transaction.atomic
def tell_access_changed(person: User, *, actor: User) -> None:
    """Says in the person's stream that their roles or teams changed: open sockets check their rights again."""
    stream = ensure_stream(person)
    data = {"person": person.pk}
    event = NewEvent(type=PersonEvent.ROLES_CHANGED, actor=f"user:{actor.pk}", at=clock.now(), data=data)
    publish({stream: [event]})


def issue_ticket(person: User) -> str:
    """A one-time pass to the socket, valid for a minute. Expired ones are removed on the way."""
    secret = secrets.token_urlsafe(32)
    Ticket.objects.filter(user=person, expires_at__lt=clock.now()).delete()
    Ticket.objects.create(user=person, digest=_ticket_digest(secret), expires_at=clock.now() + TICKET_LIFE)
    return secret


def redeem_ticket(secret: str) -> User:
    """The person a ticket was issued to; it is used up by this. Raises NotPermitted for any other text."""
    with transaction.atomic():
        ticket = (
            Ticket.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(digest=_ticket_digest(secret), expires_at__gte=clock.now(), user__is_active=True)
            .first()
        )
        if ticket is None:
            raise NotPermitted("This ticket is unknown, used or too old.")
        ticket.delete()
    return ticket.user


def _ticket_digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
