from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts.models import Team, Ticket, User
from apps.accounts.services import (
    create_person,
    ensure_role,
    ensure_stream,
    issue_ticket,
    redeem_ticket,
    set_lead,
    set_members,
)
from apps.core import clock
from apps.core.errors import NotPermitted
from apps.outbox.models import Event, Stream
from tests.factories import PASSWORD, make_person, make_team
from tests.races import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def refused(secret: str) -> None:
    with pytest.raises(NotPermitted, match="unknown, used or too old"):
        redeem_ticket(secret)


def test_a_person_has_a_stream_roles_and_a_hashed_password():
    ada = create_person("ada", password=PASSWORD, roles=["finance"], email="ada@example.org")
    assert (ada.stream.kind, ada.stream.last_seq) == ("person", 0)
    assert [group.name for group in ada.groups.all()] == ["finance"]
    assert ada.check_password(PASSWORD)
    assert PASSWORD not in ada.password


def test_a_person_without_password_cannot_log_in_with_an_empty_one():
    ada = create_person("ada", password=None)
    assert not ada.has_usable_password()
    assert not ada.check_password("")


def test_a_user_name_is_given_once_and_a_refusal_leaves_no_stream():
    make_person("ada")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_person("ada")
    assert (User.objects.count(), Stream.objects.count()) == (1, 1)


@pytest.mark.parametrize("password", ["eleven-char", "ada-lovelace-1", "qwerty123456"])
def test_a_weak_password_is_refused(password):
    ada = User(username="ada-lovelace", first_name="Ada", email="ada@example.org")
    with pytest.raises(ValidationError):
        validate_password(password, ada)


def test_nobody_is_their_own_manager():
    ada = make_person("ada")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=ada.pk).update(manager=ada)


def test_a_role_is_made_once():
    assert ensure_role("finance") == ensure_role("finance")
    assert Group.objects.count() == 1


def test_who_came_in_by_another_way_gets_a_stream_once():
    ada = User.objects.create_user("ada")
    first = ensure_stream(ada)
    assert ensure_stream(ada) == ensure_stream(User.objects.get(pk=ada.pk)) == first
    assert Stream.objects.count() == 1


def test_members_who_came_or_went_are_told_in_their_own_streams_and_others_are_not():
    ada, ben, cleo, boss = (make_person(name) for name in ("ada", "ben", "cleo", "boss"))
    team = make_team("it", ada, ben)
    set_members(team, members=[ben, cleo], actor=boss)
    assert set(team.group.user_set.all()) == {ben, cleo}
    told = list(Event.objects.order_by("id").values_list("type", "actor", "stream_id", "data"))
    assert told == [
        ("access.changed", f"user:{boss.pk}", person.stream_id, {"person": person.pk}) for person in (ada, cleo)
    ]


def test_the_same_members_again_are_no_event():
    ada, boss = make_person("ada"), make_person("boss")
    team = make_team("it", ada)
    set_members(team, members=[ada], actor=boss)
    assert Event.objects.count() == 0


def test_who_leads_a_team_no_more_and_who_does_now_are_told_and_the_same_lead_again_is_no_event():
    ada, ben, boss = (make_person(name) for name in ("ada", "ben", "boss"))
    team = make_team("it", lead=ada)
    for lead in (ben, ben, None):
        set_lead(team, lead=lead, actor=boss)
    told = Event.objects.order_by("id").values_list("type", "data")
    assert list(told) == [("access.changed", {"person": person.pk}) for person in (ada, ben, ben)]
    assert Team.objects.get().lead is None


def test_a_ticket_opens_once():
    ada = make_person("ada")
    secret = issue_ticket(ada)
    assert redeem_ticket(secret) == ada
    refused(secret)
    assert Ticket.objects.count() == 0


def test_a_ticket_ends_after_a_minute():
    ada, before = make_person("ada"), clock.now()
    secret = issue_ticket(ada)
    issued_at = Ticket.objects.get().expires_at - timedelta(seconds=60)
    assert before <= issued_at <= clock.now()
    Ticket.objects.update(expires_at=clock.now() - timedelta(microseconds=1))
    refused(secret)


@pytest.mark.parametrize("secret", ["", "x", "ключ", "\x00", "' OR 1=1 --", "a" * 100_000])
def test_any_other_text_opens_nothing(secret):
    issue_ticket(make_person("ada"))
    refused(secret)
    assert Ticket.objects.count() == 1


def test_the_ticket_itself_is_not_stored():
    secret = issue_ticket(make_person("ada"))
    refused(Ticket.objects.get().digest)
    assert secret not in Ticket.objects.values_list("digest", flat=True)


def test_a_ticket_of_somebody_who_left_opens_nothing():
    ada = make_person("ada")
    secret = issue_ticket(ada)
    User.objects.update(is_active=False)
    refused(secret)


def test_tickets_that_expired_are_removed_when_the_person_gets_the_next():
    ada, ben = make_person("ada"), make_person("ben")
    issue_ticket(ada)
    issue_ticket(ben)
    Ticket.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    current = issue_ticket(ada)
    assert sorted(Ticket.objects.values_list("user__username", flat=True)) == ["ada", "ben"]
    assert redeem_ticket(current) == ada


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_sockets_with_one_ticket_are_one_socket():
    secret, outcomes = issue_ticket(make_person("ada")), []

    def open_one() -> None:
        try:
            outcomes.append(redeem_ticket(secret).username)
        except NotPermitted:
            outcomes.append("refused")

    assert at_once(*[open_one] * 4) == []
    assert sorted(outcomes) == ["ada", "refused", "refused", "refused"]
