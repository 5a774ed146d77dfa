from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail

from apps.accounts import delegations
from apps.accounts.delegations import GRACE, LONGEST, Terms, create_delegation, end_delegation
from apps.accounts.models import Delegation, User
from apps.accounts.selectors import delegations_of, deputyships_of
from apps.core import clock
from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.notifications.models import Notification
from apps.notifications.render import render, subject_of
from apps.outbox.models import Event, Note
from apps.outbox.relay import run_relay
from tests.factories import make_item, make_person, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def ann() -> User:
    return make_person("ann")


@pytest.fixture
def ben() -> User:
    return make_person("ben", time_zone="Europe/Amsterdam")


def terms(deputy: User | None, **given: Any) -> Terms:
    """From now on for a day, where nothing else is given; times are counted from now."""
    now = clock.now()
    times = {name: given.pop(name) for name in ("starts_at", "ends_at") if name in given}
    moments = {name: None if span is None else now + span for name, span in ({"ends_at": DAY} | times).items()}
    return Terms(deputy=deputy, **moments, **given)


def problems(person: User, asked: Terms) -> dict[str, list[str]]:
    """What is refused, by field; nothing was written."""
    with refusal(InvalidInput) as refused:
        create_delegation(person, asked)
    assert isinstance(refused.value, InvalidInput)
    return refused.value.errors


def test_a_delegation_says_who_when_what_and_how_much_and_is_told_in_the_principals_stream(ann, ben):
    asked = terms(ben, starts_at=DAY, ends_at=3 * DAY, items=("b", "a", "b"), up_to=Decimal("500.50"), currency="EUR")
    made = create_delegation(ann, asked)
    stored = Delegation.objects.get()
    assert (stored.principal, stored.deputy, stored.items) == (ann, ben, ["a", "b"])
    assert (stored.starts_at, stored.ends_at, stored.ended_at) == (asked.starts_at, asked.ends_at, None)
    assert (stored.up_to, stored.currency) == (Decimal("500.50"), "EUR")
    event = Event.objects.get()
    assert (event.type, event.actor, event.stream_id) == ("delegation.created", f"user:{ann.pk}", ann.stream_id)
    assert event.data == {"delegation": made.pk, "principal": ann.pk, "deputy": ben.pk}


def test_a_start_that_is_left_out_or_a_moment_ago_is_now(ann, ben):
    before = clock.now()
    open_start = create_delegation(ann, terms(ben))
    just_past = create_delegation(ann, terms(ben, starts_at=-GRACE + HOUR / 60))
    assert before <= open_start.starts_at <= just_past.starts_at <= clock.now()


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"starts_at": -HOUR}, "starts_at", "This is in the past."),
        ({"starts_at": 3 * 366 * DAY, "ends_at": 3 * 367 * DAY}, "starts_at", "This is more than two years ahead."),
        ({"ends_at": None}, "ends_at", "This field is required."),
        ({"ends_at": -HOUR}, "ends_at", "This is in the past."),
        ({"starts_at": 2 * DAY, "ends_at": DAY}, "ends_at", "The end must be later than the start."),
        ({"starts_at": DAY, "ends_at": DAY}, "ends_at", "The end must be later than the start."),
        ({"ends_at": LONGEST + HOUR}, "ends_at", "An absence lasts two years at most."),
        ({"items": tuple(map(str, range(101)))}, "items", "At most 100 items can be named; name none for all of them."),
        ({"currency": "EUR"}, "up_to", "Say up to which amount, or leave the currency out."),
        ({"up_to": Decimal(5)}, "currency", "The limit needs its currency: three capital letters such as EUR."),
        (
            {"up_to": Decimal(5), "currency": "eur"},
            "currency",
            "This is no currency: three capital letters such as EUR.",
        ),
        (
            {"up_to": Decimal(0), "currency": "EUR"},
            "up_to",
            "The limit must be more than nothing and have at most twelve digits.",
        ),
        (
            {"up_to": Decimal(-5), "currency": "EUR"},
            "up_to",
            "The limit must be more than nothing and have at most twelve digits.",
        ),
        (
            {"up_to": Decimal(10**12), "currency": "EUR"},
            "up_to",
            "The limit must be more than nothing and have at most twelve digits.",
        ),
        ({"up_to": Decimal("0.001"), "currency": "EUR"}, "up_to", "The limit has at most two digits after the point."),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(ann, ben, given, field, says):
    assert problems(ann, terms(ben, **given)) == {field: [says]}
    assert Delegation.objects.count() == 0


def test_a_deputy_is_another_active_person(ann, ben):
    ben.is_active = False
    assert problems(ann, terms(ann)) == {"deputy": ["You cannot be your own deputy."]}
    assert problems(ann, terms(ben)) == {"deputy": ["There is no active person with this user name."]}
    assert problems(ann, terms(None)) == {"deputy": ["There is no active person with this user name."]}


def test_every_problem_is_said_at_once(ann):
    found = problems(ann, terms(ann, starts_at=-HOUR, ends_at=None, currency="EUR"))
    assert sorted(found) == ["deputy", "ends_at", "starts_at", "up_to"]


def test_nobody_has_more_than_twenty_absences_that_are_not_over(ann, ben):
    for _ in range(20):
        create_delegation(ann, terms(ben))
    found = problems(ann, terms(ben))
    assert found == {"deputy": ["You have 20 absences that are not over. End one of them first."]}
    end_delegation(Delegation.objects.first(), actor=ann)
    create_delegation(ann, terms(ben))
    assert Delegation.objects.filter(ended_at=None).count() == 20


# ------------------------------------------------------------------------------------ circles

TOGETHER = {"starts_at": HOUR, "ends_at": 10 * DAY}


def test_a_circle_is_refused_with_who_is_away(ann, ben):
    create_delegation(ben, terms(ann, **TOGETHER))
    says = (
        "Ben is away then and has named Ann: nobody would be there. Choose somebody else, other dates, or other items."
    )
    assert problems(ann, terms(ben, starts_at=DAY, ends_at=2 * DAY)) == {"deputy": [says]}
    assert problems(ann, terms(ben, ends_at=2 * HOUR)) == {"deputy": [says]}


def test_a_longer_circle_is_refused_too(ann, ben):
    cleo = make_person("cleo")
    create_delegation(ben, terms(cleo, **TOGETHER))
    create_delegation(cleo, terms(ann, **TOGETHER))
    (says,) = problems(ann, terms(ben, **TOGETHER))["deputy"]
    assert says.startswith("Ben is away then and has named Cleo, Cleo is away then and has named Ann: nobody")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"starts_at": HOUR, "ends_at": DAY}, {"starts_at": DAY, "ends_at": 2 * DAY}),
        ({"items": ("a",)}, {"items": ("b",)}),
        ({"up_to": Decimal(5), "currency": "EUR"}, {"up_to": Decimal(5), "currency": "USD"}),
    ],
)
def test_two_who_stand_in_for_each_other_at_other_times_or_for_other_things_are_no_circle(ann, ben, first, second):
    create_delegation(ben, terms(ann, **first))
    create_delegation(ann, terms(ben, **second))
    assert Delegation.objects.count() == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"items": ("a", "b")}, {"items": ("b",)}),
        ({}, {"items": ("b",)}),
        ({"items": ("b",)}, {}),
        ({}, {"up_to": Decimal(5), "currency": "EUR"}),
    ],
)
def test_a_circle_for_some_things_is_a_circle(ann, ben, first, second):
    create_delegation(ben, terms(ann, **first))
    assert list(problems(ann, terms(ben, **second))) == ["deputy"]


def test_three_whose_items_have_nothing_in_common_are_no_circle(ann, ben):
    cleo = make_person("cleo")
    create_delegation(ben, terms(cleo, items=("a",)))
    create_delegation(cleo, terms(ann, items=("b",)))
    create_delegation(ann, terms(ben))
    assert Delegation.objects.count() == 3


def test_an_absence_that_was_ended_closes_no_circle(ann, ben):
    end_delegation(create_delegation(ben, terms(ann)), actor=ben)
    create_delegation(ann, terms(ben))
    assert Delegation.objects.filter(ended_at=None).get().principal == ann


def test_looking_for_circles_has_an_end(ann, monkeypatch):
    """Many who all stand in for each other make more ways than anybody should walk."""
    monkeypatch.setattr(delegations, "MOST_WAYS", 5)
    crowd = [make_person(f"p{number}") for number in range(4)]
    now = clock.now()
    for person in crowd:
        for deputy in crowd:
            if person != deputy:
                Delegation.objects.create(
                    principal=person, deputy=deputy, starts_at=now, ends_at=now + DAY, created_at=now
                )
    create_delegation(ann, terms(crowd[0]))
    assert Delegation.objects.filter(principal=ann).count() == 1


# ------------------------------------------------------------------------------------ ending


def test_the_principal_ends_their_absence_without_saying_why(ann, ben):
    made = create_delegation(ann, terms(ben))
    ended = end_delegation(made, actor=ann)
    assert ended.ended_at is not None
    event = Event.objects.latest("seq")
    assert (event.type, event.role, event.data["delegation"]) == ("delegation.ended", "principal", made.pk)
    assert Note.objects.count() == 0


def test_an_administrator_ends_anybodys_and_says_why(ann, ben):
    ada = make_person("ada", roles=["administrator"])
    made = create_delegation(ann, terms(ben))
    with refusal(InvalidInput, match="Please say why"):
        end_delegation(made, actor=ada, reason=" ")
    with refusal(InvalidInput, match="too long"):
        end_delegation(made, actor=ada, reason="x" * 1001)
    end_delegation(made, actor=ada, reason="Ben is ill")
    event = Event.objects.latest("seq")
    assert (event.actor, event.role, Note.objects.get(pk=event.data["note"]).text) == (
        f"user:{ada.pk}",
        "administrator",
        "Ben is ill",
    )


def test_nobody_else_ends_it_not_even_the_deputy(ann, ben):
    made = create_delegation(ann, terms(ben))
    for other in (ben, make_person("iris", roles=["auditor"])):
        with refusal(NotPermitted):
            end_delegation(made, actor=other, reason="I do not want to")
    assert Delegation.objects.get().ended_at is None


@pytest.mark.parametrize("span", [HOUR, 5 * DAY])
def test_what_is_over_cannot_be_ended_again(ann, ben, span):
    made = create_delegation(ann, terms(ben, ends_at=2 * DAY))
    if span == HOUR:
        end_delegation(made, actor=ann)
    else:
        Delegation.objects.update(starts_at=clock.now() - 2 * DAY, ends_at=clock.now() - DAY)
    with refusal(TransitionNotAllowed, match="over already"):
        end_delegation(made, actor=ann)


def test_one_that_has_not_begun_can_be_taken_back(ann, ben):
    made = create_delegation(ann, terms(ben, starts_at=DAY, ends_at=2 * DAY))
    assert end_delegation(made, actor=ann).ended_at < made.starts_at


# ------------------------------------------------------------------------------------ who is told, who sees


def told() -> dict[str, list[str]]:
    """The lines of everybody's notifications, newest first."""
    run_relay()
    lines: dict[str, list[str]] = {}
    for one in Notification.objects.order_by("-id"):
        lines.setdefault(one.user.username, []).append(subject_of(one))
    return lines


def test_both_are_told_each_in_their_own_time(ann, ben):
    made = create_delegation(ann, terms(ben))
    Delegation.objects.update(starts_at="2030-07-01T08:00:00Z", ends_at="2030-07-02T08:00:00Z")
    assert told() == {
        "ann": ["Ben answers approvals for Ann from 1 Jul 2030, 08:00 to 2 Jul 2030, 08:00"],
        "ben": ["Ben answers approvals for Ann from 1 Jul 2030, 10:00 to 2 Jul 2030, 10:00"],
    }
    made.refresh_from_db()
    end_delegation(made, actor=ann)
    assert told()["ben"][0] == "Ben no longer answers approvals for Ann"


def test_the_mail_says_for_what_and_leads_to_the_page(ann, ben):
    make_item("thing")
    create_delegation(ann, terms(ben, items=("thing",), up_to=Decimal(1500), currency="EUR"))
    run_relay()
    (sent,) = [one for one in mail.outbox if one.to == ["ben@example.org"]]
    assert sent.subject.startswith("Ben answers approvals for Ann from ")
    assert "For: Thing. Up to 1,500.00 EUR." in sent.body
    assert sent.body.endswith("/absence/")


def test_the_reason_of_an_administrator_is_in_what_people_are_told(ann, ben):
    ada = make_person("ada", roles=["administrator"])
    end_delegation(create_delegation(ann, terms(ben)), actor=ada, reason="Ben is ill")
    run_relay()
    newest = Notification.objects.filter(user=ann).latest("id")
    assert render(newest).text == "Ben is ill"
    assert not Notification.objects.filter(user=ada).exists()


def test_everybody_has_their_own_absences_and_deputyships(ann, ben):
    first, second = (
        create_delegation(ann, terms(ben)),
        create_delegation(ann, terms(ben, starts_at=2 * DAY, ends_at=3 * DAY)),
    )
    assert list(delegations_of(ann)) == [second, first]
    assert list(delegations_of(ben)) == []
    assert list(deputyships_of(ben, at=clock.now())) == [first, second]
    assert list(deputyships_of(ben, at=clock.now() + 2 * DAY)) == [second]
    end_delegation(second, actor=ann)
    assert list(deputyships_of(ben, at=clock.now())) == [first]
