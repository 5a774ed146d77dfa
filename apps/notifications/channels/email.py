"""Mail: one message per person and event, sent by the relay, retried and dead-lettered like every delivery."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import User
from apps.accounts.zones import zone_of
from apps.notifications.models import Notification
from apps.notifications.render import AnswerLink, answer_link, render
from apps.notifications.selectors import SHOWN
from apps.outbox.models import Delivery


def send(delivery: Delivery) -> None:
    """Mails the notification of this event to the person the delivery names (`email:7`).

    At least once: the Message-ID is the same for every attempt. A person who has left or lost the address is skipped.
    """
    user_id = int(delivery.subscriber.partition(":")[2])
    shown = Notification.objects.select_related(*SHOWN)
    notification = shown.filter(user_id=user_id, event_id=delivery.event_id).first()
    if notification is None or not notification.user.is_active or not notification.user.email:
        return
    words = render(notification)
    greeting = f"Hello {notification.user.first_name or notification.user.username},"
    link = answer_link(notification)
    answer = _how_to_answer(link, notification.user) if link else ""
    where = f"The request: {words.url}" if link else words.url
    body = "\n\n".join(part for part in (greeting, words.subject + ".", words.text, answer, where) if part)
    message_id = f"<event-{delivery.event_id}-user-{user_id}@{urlsplit(settings.SITE_URL).hostname}>"
    EmailMessage(
        subject=words.subject[:200], body=body, to=[notification.user.email], headers={"Message-ID": message_id}
    ).send()


def _how_to_answer(link: AnswerLink, reader: User) -> str:
    until = date_format(timezone.localtime(link.until, zone_of(reader)), "j F Y, H:i")
    return (
        f"See what is asked and answer here, without logging in:\n{link.url}\n"
        f"The link is yours alone and good for one answer, until {until}. Whoever has it can answer in your name: "
        "please do not forward this mail."
    )
