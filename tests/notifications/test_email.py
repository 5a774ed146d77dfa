from __future__ import annotations

import pytest
from django.core import mail

from apps.accounts.models import User
from apps.notifications.channels.email import send
from apps.outbox.models import Delivery, Event
from apps.outbox.relay import run_relay
from tests.factories import make_request

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
    assert message.body == (
        f"Hello Manager,\n\nPlease decide on {request.number}: A new keyboard.\n\n"
        f"https://flow.example.org:8443/base/requests/{request.number}/"
    )
    assert message.message()["Message-ID"] == f"<event-{event.pk}-user-{world.manager.pk}@flow.example.org>"


def test_every_mail_is_a_delivery_of_its_own_and_a_repeat_has_the_same_message_id(world):
    make_request(world.item, world.requester)
    run_relay()
    assert delivery_to(world.manager).status == "done"
    send(delivery_to(world.manager))
    first, second = mails_to(world.manager)
    assert first.message()["Message-ID"] == second.message()["Message-ID"]


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
