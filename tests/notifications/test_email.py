from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from apps.accounts.models import User
from apps.approvals.links import link_path, seat_asked
from apps.approvals.models import Seat
from apps.core.clock import now
from apps.notifications.channels.email import send
from apps.outbox.models import Delivery, Event
from apps.outbox.publish import NewEvent, publish
from apps.outbox.relay import run_relay
from apps.requests.services import rounds
from apps.requests.services.decisions import record_decision
from apps.requests.services.writing import lock_request
from tests.factories import make_person, make_request
from tests.factories.approvals import approval_of, ask, level

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def mails_to(person: User) -> list[mail.EmailMessage]:
    return [message for message in mail.outbox if message.to == [person.email]]


def delivery_to(person: User) -> Delivery:
    return Delivery.objects.select_related("event").get(subscriber=f"email:{person.pk}")


def test_a_mail_says_what_happened_and_where_to_look(world, settings):
    settings.SITE_URL = "https://flow.example.org:8443/base"
    request = make_request(world.item, world.requester, title="A new keyboard")
    run_relay()
    (message,) = mails_to(world.manager)
    event = Event.objects.get(type="approval.level_opened")
    assert message.subject == f"Please decide on {request.number}: A new keyboard"
    seat, until = Seat.objects.get(), event.at + timedelta(days=14)
    path = link_path(seat=seat.pk, level=seat.level_id, until=until)
    assert message.body == (
        f"Hello Manager,\n\nPlease decide on {request.number}: A new keyboard.\n\n"
        "See what is asked and answer here, without logging in:\n"
        f"https://flow.example.org:8443/base{path}\n"
        f"The link is yours alone and good for one answer, until {until.day} {until:%B %Y, %H:%M}. "
        "Whoever has it can answer in your name: please do not forward this mail.\n\n"
        f"The request: https://flow.example.org:8443/base/requests/{request.number}/"
    )
    assert message.message()["Message-ID"] == f"<event-{event.pk}-user-{world.manager.pk}@flow.example.org>"


def test_each_reader_gets_the_link_of_their_own_seat_in_their_own_time(world):
    anna, ben = make_person("anna", time_zone="Asia/Tokyo"), make_person("ben")
    ask(world.requester, level("board", anna, ben))
    run_relay()
    seats = {seat.user: seat for seat in Seat.objects.select_related("user")}
    for person in (anna, ben):
        (found,) = re.findall(r"/answer/(\S+)/", mails_to(person)[0].body)
        assert seat_asked(found, at=now()) == seats[person]
    until = Event.objects.get(type="approval.level_opened").at + timedelta(days=14, hours=9)
    assert f"until {until.day} {until:%B %Y, %H:%M}." in mails_to(anna)[0].body


def test_a_reminder_has_a_link_too(world):
    request = ask(world.requester, level("board", world.manager))
    event = Event.objects.get(type="approval.level_opened")
    reminder = {"approval": approval_of(request).pk, "level": "board", "percent": 50, "seats": event.data["seats"]}
    told = NewEvent(type="approval.reminded", actor="system", at=event.at, data={"step": "approve", **reminder})
    with transaction.atomic():
        publish({lock_request(request.pk).stream: [told]})
    run_relay()
    first, second = mails_to(world.manager)
    assert second.subject == f"Your answer on {request.number} is still missing: Please"
    assert re.findall(r"/answer/\S+/", first.body) == re.findall(r"/answer/\S+/", second.body)


@pytest.mark.parametrize("kind", ["answered", "given away", "switched off"])
def test_a_mail_about_a_seat_that_waits_for_nothing_has_no_link(world, settings, kind):
    request = make_request(world.item, world.requester)
    if kind == "answered":
        record_decision(approval_of(request), verdict="approve", actor=world.manager)
    elif kind == "given away":
        seat, stranger = Seat.objects.get(), world.stranger
        rounds.reassign(approval_of(request), seat.pk, stranger, reason="Away", actor=world.manager)
    else:
        settings.ANSWER_LINK_DAYS = 0
    run_relay()
    (message,) = mails_to(world.manager)
    assert message.body == (
        f"Hello Manager,\n\nPlease decide on {request.number}: Please.\n\n"
        f"http://127.0.0.1:8000/requests/{request.number}/"
    )


def test_whoever_is_told_of_something_else_gets_no_link(world):
    make_request(world.item, world.requester)
    run_relay()
    (message,) = mails_to(world.requester)
    assert "/answer/" not in message.body


def test_every_mail_is_a_delivery_of_its_own_and_a_repeat_has_the_same_message_id(world):
    make_request(world.item, world.requester)
    run_relay()
    assert delivery_to(world.manager).status == "done"
    send(delivery_to(world.manager))
    first, second = mails_to(world.manager)
    assert first.message()["Message-ID"] == second.message()["Message-ID"]
    assert first.body == second.body


@pytest.mark.parametrize(
    "title",
    [
        "Hi\nBcc: thief@example.org",
        "Hi\r\nBcc: thief@example.org",
        "Hi\r\n\r\nBcc: thief@example.org",
        "Hi\x85\u2028Bcc: x",
    ],
)
def test_a_title_cannot_inject_a_header(world, title):
    make_request(world.item, world.requester, title=title)
    run_relay()
    (message,) = mails_to(world.manager)
    sent = message.message()
    assert sent["Bcc"] is None
    assert message.recipients() == [world.manager.email]
    assert not set("\r\n\x85\u2028") & set(message.subject)


def test_a_long_title_is_cut_in_the_subject_only(world):
    make_request(world.item, world.requester, title="x" * 200)
    run_relay()
    (message,) = mails_to(world.manager)
    assert len(message.subject) == 200
    assert "x" * 200 in message.body


def test_an_address_with_a_line_break_reaches_nobody_and_stops_nobody(world):
    User.objects.filter(pk=world.manager.pk).update(email="manager@example.org\nBcc: thief@example.org")
    make_request(world.item, world.requester)
    run_relay()
    assert [message.to for message in mail.outbox] == [["requester@example.org"]]
    kept = delivery_to(world.manager)
    assert (kept.status, kept.attempts) == ("pending", 1)


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": ""}])
def test_who_left_or_has_no_address_any_more_is_skipped(world, change):
    make_request(world.item, world.requester)
    run_relay()
    mail.outbox.clear()
    User.objects.filter(pk=world.manager.pk).update(**change)
    send(delivery_to(world.manager))
    assert mail.outbox == []


def test_who_has_no_address_is_told_on_the_page_only(world):
    User.objects.filter(pk=world.manager.pk).update(email="")
    make_request(world.item, world.requester)
    run_relay()
    assert world.manager.notifications.count() == 1
    assert not Delivery.objects.filter(subscriber=f"email:{world.manager.pk}").exists()


def test_a_mailbox_that_fails_holds_back_only_its_own_mails(world, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    make_request(world.item, world.requester)
    run_relay()
    mails = Delivery.objects.filter(subscriber__startswith="email:")
    assert set(mails.values_list("status", "attempts", "last_error")) == {("pending", 1, "ConnectionRefusedError")}
    assert set(Delivery.objects.exclude(subscriber__startswith="email:").values_list("status", flat=True)) == {"done"}
